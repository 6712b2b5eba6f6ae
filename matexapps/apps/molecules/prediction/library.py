"""The structures of a library, read piece by piece."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from rdkit import Chem

from matexapps.apps.molecules.data.reader import (
    LISTS,
    SEPARATORS,
    UNREADABLE,
    file_kind,
    first_word,
    molecule_lines,
    open_text,
    sdf_molecules,
    structure_columns,
)
from matexapps.errors import DataError

_NAMES = ("id", "name", "title")


class Row(NamedTuple):
    """A row of a library.

    Attributes
    ----------
    name : str
        What follows the SMILES in a SMILES file, the title of an SDF's entry, or what stands in a
        column called id, name or title; empty where there is none.
    structures : tuple of str
        SMILES, one for each column of structures.
    """

    name: str
    structures: tuple[str, ...]


def pieces(
    path: Path, smiles_columns: str | Sequence[str] | None, rows: int
) -> Iterator[list[Row]]:
    """Yield all rows, ``rows`` at a time, as the file has them.

    Formats are those of :func:`~matexapps.apps.molecules.data.reader.read_records`. Where a row
    lacks a structure, its text is empty.

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
                    for line in molecule_lines(lines):
                        yield Row(_name_of(line), (first_word(line),))
                    return
                table = csv.reader(lines, delimiter=SEPARATORS[kind], strict=True)
                names = next(table, [])
                columns = structure_columns(smiles_columns, names, str(path))
                places = [names.index(one) for one in (*_name_column(names, columns), *columns)]
                for cells in table:
                    texts = [cells[place] if place < len(cells) else "" for place in places]
                    yield _row(texts, len(columns))
            except (*UNREADABLE, csv.Error) as error:
                raise DataError(f"{path} cannot be read: {error}") from None


def _row(texts: list[str], structures: int) -> Row:
    """Return a row of the texts of its name, if it has one, and of so many structures."""
    return Row("".join(texts[:-structures]), tuple(texts[-structures:]))


def _name_of(line: str) -> str:
    return "".join(line.split(maxsplit=1)[1:]).strip()


def _name_column(names: Sequence[str], structures: Sequence[str]) -> list[str]:
    found = (one for one in names if one.strip().lower() in _NAMES and one not in structures)
    return list(islice(found, 1))


def _several(columns: str | Sequence[str] | None) -> list[str]:
    return [] if columns is None else [columns] if isinstance(columns, str) else list(columns)


def _of_sdf(path: Path) -> Iterator[Row]:
    for molecule in sdf_molecules(path):
        if molecule is None:
            yield Row("", ("",))
        else:
            yield Row(molecule.GetProp("_Name"), (Chem.MolToSmiles(molecule),))


def _of_parquet(path: Path, smiles_columns: str | Sequence[str] | None) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as table:
            names = list(table.schema_arrow.names)
            columns = structure_columns(smiles_columns, names, str(path))
            read = [*_name_column(names, columns), *columns]
            for batch in table.iter_batches(columns=read):
                cells = [batch.column(name).to_pylist() for name in read]
                for row in zip(*cells, strict=True):
                    yield _row(["" if one is None else str(one) for one in row], len(columns))
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path} cannot be read as Parquet: {error}") from None
