"""The structures of a library, read piece by piece."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from rdkit import Chem, rdBase

from matexapps.apps.molecules.files import (
    LISTS,
    SEPARATORS,
    file_kind,
    first_word,
    open_text,
    smiles_column,
)
from matexapps.errors import DataError


def pieces(path: Path, smiles_columns: str | None, rows: int) -> Iterator[list[str]]:
    """Yield the SMILES of all rows, ``rows`` at a time, as the file has them.

    Formats are those of :func:`~matexapps.apps.molecules.files.read_records`. A row without a
    structure gives an empty text.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    smiles = _smiles(path, smiles_columns)
    while piece := list(islice(smiles, rows)):
        yield piece


def _smiles(path: Path, smiles_columns: str | None) -> Iterator[str]:
    kind = file_kind(path)
    if kind == ".sdf":
        yield from _of_sdf(path)
    elif kind == ".parquet":
        yield from _of_parquet(path, smiles_columns)
    else:
        with open_text(path) as lines:
            try:
                if kind in LISTS:
                    yield from map(first_word, lines)
                    return
                table = csv.reader(lines, delimiter=SEPARATORS[kind])
                place = _place(next(table, []), smiles_columns, path)
                for cells in table:
                    yield cells[place] if place < len(cells) else ""
            except (OSError, EOFError, csv.Error) as error:
                raise DataError(f"{path} cannot be read: {error}") from None


def _place(names: list[str], smiles_columns: str | None, path: Path) -> int:
    return names.index(smiles_column(smiles_columns, names, str(path)))


def _of_sdf(path: Path) -> Iterator[str]:
    with rdBase.BlockLogs(), open(path, "rb") as file:
        for molecule in Chem.ForwardSDMolSupplier(file):
            yield "" if molecule is None else Chem.MolToSmiles(molecule)


def _of_parquet(path: Path, smiles_columns: str | None) -> Iterator[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as table:
            names = list(table.schema_arrow.names)
            name = smiles_column(smiles_columns, names, str(path))
            for batch in table.iter_batches(columns=[name]):
                yield from (text or "" for text in batch.column(0).to_pylist())
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path} cannot be read as Parquet: {error}") from None
