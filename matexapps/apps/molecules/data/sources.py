"""The file behind a path or a name of the catalog, and the structures in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matexapps.apps.molecules.data.reader import read_records
from matexapps.apps.molecules.data.records import Records
from matexapps.data.catalog import catalog
from matexapps.data.schema.schema import Column, Schema


def locate(data: str) -> tuple[Path, Schema]:
    """Return where a file is, and what the catalog says of its columns.

    Parameters
    ----------
    data : str
        A path, of which the catalog says nothing, or a name of the catalog.

    Raises
    ------
    DataError
        If there is no such name, or its file is not to be had.
    """
    given = Path(data)
    if given.suffix or given.exists():
        return given, Schema()
    return catalog.get(data), catalog.entry(data).schema


def names(columns: Sequence[Column] | Column | None) -> list[str] | None:
    """Return the names of columns that the catalog gives."""
    if columns is None:
        return None
    return [str(columns)] if isinstance(columns, Column) else [str(one) for one in columns]


def read_structures(data: str, smiles_columns: str | None, columns: Sequence[str] = ()) -> Records:
    """Read all structures, with the values of some columns.

    Parameters
    ----------
    data : str
        A file of molecules, or a name of the catalog.
    smiles_columns : str or None
        The column of structures; None takes the catalog's, or the one called "smiles".
    columns : sequence of str
        Columns of numbers.

    Raises
    ------
    DataError
        If there is no such file or name, or it cannot be read.
    """
    path, schema = locate(data)
    return read_records(
        path,
        smiles_columns=smiles_columns or names(schema.features),
        target_columns=list(columns),
    )
