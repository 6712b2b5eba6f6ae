"""Locates the first fault of a CSV file.

The fast reader only reports that there is one; this pass reads the file with the csv module, line
by line, until it meets the first thing that cannot be used.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from matexapps.data.csv.columns import CsvColumns
from matexapps.data.csv.dialect import BROKEN_GZIP, Dialect, open_text
from matexapps.data.schema.encoding import EMPTY_TEXTS, missing_key, numbers_of, unknown_value
from matexapps.errors import DataError, did_you_mean

_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class RowStart:
    """A byte of a file at which a row begins, and the lines before it."""

    offset: int
    lines: int


def find_fault(
    path: Path, dialect: Dialect, columns: CsvColumns, good: int, start: RowStart | None = None
) -> DataError | None:
    """Return the first fault of a file as an error naming row and column, or None.

    Parameters
    ----------
    path : Path
    dialect : Dialect
    columns : CsvColumns
        The wanted columns and their types.
    good : int
        This many rows from ``start``, which the fast reader has accepted, are skipped.
    start : RowStart or None
        Where to begin; None for the first row.
    """
    names = dialect.names
    line = 0 if start is None else start.lines
    try:
        for number, (line, cells, last) in enumerate(records(path, dialect, start)):
            if number < good:
                continue
            if len(cells) != len(names):
                return DataError(f"{path}, row {line}: {_miscounted(cells, names, last)}")
            for column in columns.used:
                wrong = _wrong(cells[column], column, columns)
                if wrong:
                    return DataError(f"{path}, row {line}, column {names[column]!r}: {wrong}")
    except BROKEN_GZIP:
        return DataError(
            f"{path}, row {line + 1}: the gzip stream breaks off here or shortly after; fetch or "
            "copy the file again"
        )
    except csv.Error as error:
        return DataError(f"{path}, row {line + 1}: the line cannot be read ({error})")
    return None


def records(
    path: Path, dialect: Dialect, start: RowStart | None = None
) -> Iterator[tuple[int, list[str], bool]]:
    """Yield each row of data: its line in the file, from 1, its cells, whether it is the last."""
    offset, lines = (0, 0) if start is None else (start.offset, start.lines)
    with open_text(path, offset) as text:
        if start is None:
            # A comment is neither a row nor half of a quoted cell.
            lines = sum(1 for _ in islice(text, dialect.header_lines))
        reader = csv.reader(text, delimiter=dialect.delimiter)
        held: tuple[int, list[str]] | None = None
        before = lines
        for cells in reader:
            line, before = before + 1, lines + reader.line_num
            if not cells:
                continue
            if held is not None:
                yield (*held, False)
            held = (line, cells)
        if held is not None:
            yield (*held, True)


def _miscounted(cells: list[str], names: list[str], last: bool) -> str:
    count, width = len(cells), len(names)
    if count < width:
        missing = f"column {names[count]!r} is missing: {count} of {width} columns"
        return f"{missing}, and the file ends here, cut short" if last else missing
    return f"{count} columns instead of {width}, first too many is {cells[width][:40]!r}"


def _wrong(cell: str, column: int, columns: CsvColumns) -> str | None:
    """Say what is wrong with a cell, or nothing."""
    roles, missing, classes = columns.roles, columns.missing, columns.classes
    if column == roles.label and classes is not None:
        if cell in classes:
            return None
        known = ", ".join(repr(name) for name in classes)
        return f"label {cell[:40]!r} is none of the classes {known}{did_you_mean(cell, classes)}"
    if column == roles.key:
        wrong = _wrong_key(cell)
        if wrong or not columns.holds_number(column):
            return wrong
    if column in columns.categories:
        return _wrong_category(cell, column, columns)
    is_feature = columns.is_feature(column)
    text = cell.strip()
    if text in EMPTY_TEXTS:
        if is_feature and missing.nan and column not in (roles.label, roles.weight):
            return None
        cure = ", or declare such cells with missing=math.nan" if is_feature else ""
        held = f"the value is {text!r}, not a number" if text else "the cell is empty"
        return f"{held}; correct it or remove the row{cure}"
    value = _number(text)
    if value is None:
        cure = "; name the texts a label may have with classes=" if column == roles.label else ""
        if is_feature and column != roles.label:
            cure = "; correct it, or declare the texts of this column with categories="
        if _number(text.replace(",", ".", 1)) is not None:
            cure = "; write numbers with a point, not a comma"
        return f"{cell[:40]!r} is not a number{cure}"
    if math.isinf(value):
        return f"the value {text!r} is infinite; correct it or remove the row"
    if is_feature and abs(value) > _LARGEST:
        return f"the value {text[:40]!r} is too large for a 32-bit number"
    return None


def _wrong_key(cell: str) -> str | None:
    text = cell.strip()
    if text in EMPTY_TEXTS:
        return missing_key(text)
    if any("\udc80" <= character <= "\udcff" for character in cell):
        return "the text is not UTF-8: save the file as UTF-8"
    return None


def _wrong_category(cell: str, column: int, columns: CsvColumns) -> str | None:
    known = columns.categories[column]
    is_number = columns.holds_number(column)
    if columns.missing.nan and (cell.strip() if is_number else cell) in EMPTY_TEXTS:
        return None
    if is_number:
        number = _number(cell.strip())
        value: Any = np.array([math.nan if number is None else number])
    else:
        value = np.array([cell], object)
    if numbers_of(value, known)[0] >= 0:
        return None
    return unknown_value(cell, known, f"categories={{{columns.names[column]!r}: ...}}")


def _number(text: str) -> float | None:
    """Return the number that a cell holds, or None if it does not hold one."""
    try:
        value = math.nan if "_" in text or not text.isascii() else float(text)
    except ValueError:
        return None
    return None if math.isnan(value) else value
