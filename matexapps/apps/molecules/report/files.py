"""Lists beside a model: rejected rows and conflicts."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from matexapps.apps.molecules.data.molecule_set import MoleculeSet
from matexapps.files import atomic_file

REJECTED, CONFLICTS = "rejected.csv", "conflicts.csv"


def write_lists(folder: Path, molecules: MoleculeSet) -> None:
    """Write ``rejected.csv`` and ``conflicts.csv`` into a folder."""
    rejected = ((row.row, row.smiles, row.reason) for row in molecules.rejected)
    conflicts = (
        (conflict.inchikey, str(conflict.target), row, conflict.target.text(value))
        for conflict in molecules.conflicts
        for row, value in zip(conflict.rows, conflict.values, strict=True)
    )
    _write(folder / REJECTED, ("row", "smiles", "reason"), rejected)
    _write(folder / CONFLICTS, ("inchikey", "target", "row", "value"), conflicts)


def _write(path: Path, names: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    with atomic_file(path) as partial, open(partial, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)
