"""Files beside a model: all figures of the experiment, rejected rows and conflicts."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from matexapps.apps.molecules.data.molecule_set import MoleculeSet
from matexapps.errors import DataError

FIGURES, REJECTED, CONFLICTS = "report.json", "rejected.csv", "conflicts.csv"


def write_report(folder: str | Path, summary: dict[str, Any], molecules: MoleculeSet) -> None:
    """Write ``report.json``, ``rejected.csv`` and ``conflicts.csv`` into a folder.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    folder = Path(folder)
    rejected = ((row.row, row.smiles, row.reason) for row in molecules.rejected)
    conflicts = (
        (conflict.inchikey, str(conflict.target), row, conflict.target.text(value))
        for conflict in molecules.conflicts
        for row, value in zip(conflict.rows, conflict.values, strict=True)
    )
    try:
        (folder / FIGURES).write_text(json.dumps(summary, indent=1) + "\n")
        _write(folder / REJECTED, ("row", "smiles", "reason"), rejected)
        _write(folder / CONFLICTS, ("inchikey", "target", "row", "value"), conflicts)
    except OSError as error:
        raise DataError(f"cannot write the report into {folder}: {error}") from error


def _write(path: Path, names: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)
