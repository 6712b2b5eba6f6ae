"""Where exactly a CSV file is wrong.

The fast reader only learns that something is; this pass goes through the file with the csv
module, line by line, until it meets the first thing that cannot be used.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from matexapps.data.csv_dialect import BROKEN_GZIP, Dialect, open_text
from matexapps.data.missing import Missing
from matexapps.data.schema import Roles
from matexapps.errors import DataError, did_you_mean

# Cells that pyarrow and this pass both take for "nothing here".
EMPTY = ("", "NA", "N/A", "nan", "NaN", "NAN", "null", "NULL")
_LARGEST = float(np.finfo(np.float32).max)


def find_fault(
    path: Path,
    dialect: Dialect,
    roles: Roles,
    missing: Missing,
    classes: Sequence[str] | None,
    good: int,
) -> DataError | None:
    """Return the first fault of a file as an error naming row and column, or None.

    The first ``good`` rows, which the fast reader has taken, are passed over unchecked.
    """
    width = len(dialect.names)
    used = sorted({*roles.numbers, roles.label})
    line = 0
    try:
        for number, (line, cells, last) in enumerate(records(path, dialect)):
            if number < good:
                continue
            if len(cells) != width:
                return DataError(f"{path}, row {line}: {_miscounted(cells, dialect.names, last)}")
            for column in used:
                wrong = _wrong(cells[column], column, roles, missing, classes)
                if wrong:
                    return DataError(
                        f"{path}, row {line}, column {dialect.names[column]!r}: {wrong}"
                    )
    except BROKEN_GZIP:
        return DataError(
            f"{path}, row {line + 1}: the gzip stream breaks off here or shortly after; fetch or "
            "copy the file again"
        )
    except csv.Error as error:
        return DataError(f"{path}, row {line + 1}: the line cannot be read ({error})")
    return None


def records(path: Path, dialect: Dialect) -> Iterator[tuple[int, list[str], bool]]:
    """Yield each row of data: its line in the file, from 1, its cells, whether it is the last."""
    with open_text(path) as text:
        reader = csv.reader(text, delimiter=dialect.delimiter)
        held: tuple[int, list[str]] | None = None
        before = 0
        for cells in reader:
            line, before = before + 1, reader.line_num
            if not cells or line <= dialect.header_lines:
                continue
            if held is not None:
                yield (*held, False)
            held = (line, cells)
        if held is not None:
            yield (*held, True)


def _miscounted(cells: list[str], names: list[str], last: bool) -> str:
    found, width = len(cells), len(names)
    if found < width:
        missing = f"column {names[found]!r} is missing: {found} of {width} columns"
        return f"{missing}, and the file ends here, cut short" if last else missing
    return f"{found} columns instead of {width}, first too many is {cells[width][:40]!r}"


def _wrong(
    cell: str, column: int, roles: Roles, missing: Missing, classes: Sequence[str] | None
) -> str | None:
    """Say what is wrong with a cell, or nothing."""
    if column == roles.label and classes is not None:
        if cell in classes:
            return None
        known = ", ".join(repr(name) for name in classes)
        return f"label {cell[:40]!r} is none of the classes {known}{did_you_mean(cell, classes)}"
    is_feature = column in roles.features
    text = cell.strip()
    if text in EMPTY:
        if is_feature and missing.nan:
            return None
        what = f"the value is {text!r}, not a number" if text else "the cell is empty"
        cure = ", or declare such cells with missing=math.nan" if is_feature else ""
        return f"{what}; correct it or remove the row{cure}"
    try:
        value = math.nan if "_" in text or not text.isascii() else float(text)
    except ValueError:
        value = math.nan
    if math.isnan(value):
        cure = "; name the texts a label may have with classes=" if column == roles.label else ""
        return f"{cell[:40]!r} is not a number{cure}"
    if math.isinf(value):
        return f"the value {text!r} is infinite; correct it or remove the row"
    if is_feature and abs(value) > _LARGEST:
        return f"the value {text[:40]!r} is too large for a 32-bit number"
    return None
