"""The tables that a campaign writes: labels, and molecules without labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from matexapps.apps.molecules.quantum.single_point import COLUMNS
from matexapps.files import atomic_file

Row = tuple[str, str, list[float | None]]
"""SMILES of the standard form, InChIKey, values."""


def write_labels(path: Path, rows: Sequence[Row]) -> None:
    """Write a row for each molecule: SMILES, InChIKey, values with their units in the header.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    table = pd.DataFrame(
        [(smiles, inchikey, *values) for smiles, inchikey, values in rows],
        columns=["smiles", "inchikey", *COLUMNS],
    ).astype(dict.fromkeys(COLUMNS, float))
    _write(path, table)


def write_rejected(path: Path, rows: Sequence[tuple[int, str, str]]) -> None:
    """Write row number, SMILES as given, and reason of each row without labels.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    _write(path, pd.DataFrame(list(rows), columns=["row", "smiles", "reason"]))


def _write(path: Path, table: pd.DataFrame) -> None:
    with atomic_file(path) as partial:
        if path.suffix == ".parquet":
            table.to_parquet(partial, index=False)
        else:
            table.to_csv(partial, index=False, float_format="%.10g", lineterminator="\n")
