"""The one reader of molecules: a file with its values, or a library in pieces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from matexapps.apps.molecules.data.columns import (
    check_unique,
    find_column,
    is_target,
    structure_columns,
    title_column,
)
from matexapps.apps.molecules.data.formats import open_table
from matexapps.apps.molecules.data.records import Records
from matexapps.apps.molecules.data.targets import Target, parse_classes, parse_numbers
from matexapps.data.schema.schema import Column, Schema
from matexapps.data.sources.source import resolve
from matexapps.errors import DataError


class LibraryRow(NamedTuple):
    """A row of a library.

    Attributes
    ----------
    name : str
        What follows the SMILES in a SMILES file, the title of an SDF's entry, or the cell of a
        column called id, name or title; empty where there is none.
    structures : tuple of str
        SMILES, one for each column of structures; empty where the row has none.
    """

    name: str
    structures: tuple[str, ...]


def read_records(
    source: str | Path,
    *,
    smiles_columns: str | Sequence[str] | None = None,
    target_columns: Sequence[str] | None = None,
    part_column: str | None = None,
    classes: Sequence[str] | None = None,
) -> Records:
    """Read all structures, and values.

    Parameters
    ----------
    source : str or Path
        A file in one of the formats of :func:`~matexapps.apps.molecules.data.formats.open_table`,
        or a name of the catalog, whose schema then gives the defaults of the other parameters.
    smiles_columns : str or sequence of str, or None
        The column of structures, or several whose structures belong together, such as a solute
        and its solvent; None takes the one called "smiles". SDF and SMILES files have just one.
    target_columns : sequence of str or None
        None takes every column whose cells are all numbers or blank, except those called "index"
        or "id". A unit in the header, as in ``"logS (log mol/L)"``, may be left out here.
    part_column : str or None
        A column that a split goes by.
    classes : sequence of two str, or None
        The two texts that targets hold, the first of which counts as 0; None takes targets whose
        values are all 0 or 1 as classes, and others as numbers.

    Raises
    ------
    DataError
        If there is no such file or name, it cannot be read, a column is missing, or a cell of a
        target is neither a number nor one of the classes.
    """
    path, schema = resolve(source, Schema())
    labels = _names(schema.label)
    targets = target_columns if target_columns is not None else labels
    if classes is None and targets == labels and schema.classes:
        classes = [str(name) for name in schema.classes]
    pair = None if classes is None else (classes[0], classes[1])
    with open_table(path) as table:
        structures = structure_columns(smiles_columns or _names(schema.features), table, str(path))
        columns = table.columns()
    if not columns[0]:
        raise DataError(f"{path} has no rows")
    names = table.names
    if targets is None:
        others = ("", *structures, part_column, table.title)
        chosen = [check_unique(name, names, str(path)) for name in names if name not in others]
        chosen = [name for name in chosen if is_target(name, columns[names.index(name)], pair)]
    else:
        chosen = [find_column(name, names, str(path), "a target") for name in targets]
    parsed = [_target(name, columns[names.index(name)], str(path), pair) for name in chosen]
    rows = len(columns[0])
    return Records(
        source=str(path),
        structures=list(
            zip(*(map(_text, columns[names.index(name)]) for name in structures), strict=True)
        ),
        values=np.stack([values for _, values in parsed], 1) if parsed else np.empty((rows, 0)),
        targets=[target for target, _ in parsed],
        rows=np.arange(1, rows + 1),
        part_key=None if part_column is None else _part_key(part_column, names, columns, path),
        smiles_columns=tuple(structures),
    )


def read_library(
    path: Path, smiles_columns: str | Sequence[str] | None, rows: int
) -> Iterator[list[LibraryRow]]:
    """Yield all rows of a library, ``rows`` at a time, without holding more of them.

    Parameters
    ----------
    path : Path
        As for :func:`read_records`. Bytes that are not UTF-8, and cells beyond the header's, are
        no errors here: names of molecules come in any form.
    smiles_columns : str or sequence of str, or None
        As for :func:`read_records`.
    rows : int

    Raises
    ------
    DataError
        If the file cannot be read, or has no such columns.
    """
    with open_table(path, lenient=True) as table:
        structures = structure_columns(smiles_columns, table, str(path))
        title = title_column(table, structures)
        cells = table.rows([*structures, *([] if title is None else [title])])
        library = (_library_row(row, len(structures)) for row in cells)
        while piece := list(islice(library, rows)):
            yield piece


def _library_row(cells: Sequence[object], structures: int) -> LibraryRow:
    texts = [_text(cell) for cell in cells]
    return LibraryRow("".join(texts[structures:]), tuple(texts[:structures]))


def _names(columns: Sequence[Column] | Column | None) -> list[str] | None:
    """Return the names of columns in a schema."""
    if columns is None:
        return None
    return [str(columns)] if isinstance(columns, Column) else [str(name) for name in columns]


def _part_key(
    wanted: str, names: list[str], columns: list[list[object]], path: Path
) -> NDArray[np.object_]:
    key = np.empty(len(columns[0]), object)
    key[:] = columns[names.index(find_column(wanted, names, str(path), "the split"))]
    return key


def _text(cell: object) -> str:
    return "" if cell is None or cell != cell else str(cell)


def _target(
    name: str, cells: list[object], source: str, classes: tuple[str, str] | None
) -> tuple[Target, NDArray[np.float64]]:
    """Return a target with its values, which are 0 and 1 where they are classes."""
    target = Target.from_header(name)
    if classes is not None:
        return replace(target, classes=classes), parse_classes(cells, classes, name, source)
    values = parse_numbers(cells, name, source)
    known = values[np.isfinite(values)]
    if len(known) and np.isin(known, (0, 1)).all():
        target = replace(target, classes=("0", "1"))
    return target, values
