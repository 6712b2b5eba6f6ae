"""The structures of a library, read piece by piece."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from rdkit import Chem

from matexapps.apps.molecules.files import (
    LISTS,
    SEPARATORS,
    UNREADABLE,
    file_kind,
    first_word,
    open_text,
    sdf_molecules,
    structure_columns,
)
from matexapps.errors import DataError

Row = tuple[str, ...]
"""The SMILES of a row, one for each column of structures."""


def pieces(
    path: Path, smiles_columns: str | Sequence[str] | None, rows: int
) -> Iterator[list[Row]]:
    """Yield all rows, ``rows`` at a time, as the file has them.

    Formats are those of :func:`~matexapps.apps.molecules.files.read_records`. Where a row lacks a
    structure, its text is empty.

    Raises
    ------
    DataError
        If the file cannot be read, or its rows have fewer structures.
    """
    found = _rows(path, smiles_columns)
    while piece := list(islice(found, rows)):
        yield piece


def _rows(path: Path, smiles_columns: str | Sequence[str] | None) -> Iterator[Row]:
    kind = file_kind(path)
    if (kind == ".sdf" or kind in LISTS) and len(wanted := _several(smiles_columns)) > 1:
        raise DataError(
            f"{path} has one structure a row, and {len(wanted)} are needed: {', '.join(wanted)}; "
            "give a CSV, TSV or Parquet file with such columns"
        )
    if kind == ".sdf":
        yield from _of_sdf(path)
    elif kind == ".parquet":
        yield from _of_parquet(path, smiles_columns)
    else:
        with open_text(path) as lines:
            try:
                if kind in LISTS:
                    yield from ((first_word(line),) for line in lines)
                    return
                table = csv.reader(lines, delimiter=SEPARATORS[kind], strict=True)
                names = next(table, [])
                columns = structure_columns(smiles_columns, names, str(path))
                places = [names.index(column) for column in columns]
                for cells in table:
                    yield tuple(cells[place] if place < len(cells) else "" for place in places)
            except (*UNREADABLE, csv.Error) as error:
                raise DataError(f"{path} cannot be read: {error}") from None


def _several(columns: str | Sequence[str] | None) -> list[str]:
    return [] if columns is None else [columns] if isinstance(columns, str) else list(columns)


def _of_sdf(path: Path) -> Iterator[Row]:
    for molecule in sdf_molecules(path):
        yield ("" if molecule is None else Chem.MolToSmiles(molecule),)


def _of_parquet(path: Path, smiles_columns: str | Sequence[str] | None) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as table:
            names = list(table.schema_arrow.names)
            columns = structure_columns(smiles_columns, names, str(path))
            for batch in table.iter_batches(columns=columns):
                texts = [batch.column(name).to_pylist() for name in columns]
                yield from (tuple(text or "" for text in row) for row in zip(*texts, strict=True))
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path} cannot be read as Parquet: {error}") from None
