"""Measured quantities, and their values from the cells of a table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matexapps.data.schema.encoding import EMPTY_TEXTS
from matexapps.errors import DataError


@dataclass(frozen=True)
class Target:
    """A measured quantity.

    Attributes
    ----------
    name : str
    unit : str
        Empty for pure numbers, or where the file does not say.
    classes : tuple of two str, or None
        What the values 0 and 1 stand for, where they are classes.
    """

    name: str
    unit: str = ""
    classes: tuple[str, str] | None = None

    @classmethod
    def from_header(cls, text: str) -> Target:
        """Read ``"solubility (log mol/L)"`` or ``"solubility [log mol/L]"``."""
        match = re.fullmatch(r"\s*(.+?)\s*(?:\(([^()]*)\)|\[([^\[\]]*)\])\s*", text)
        if match is None:
            return cls(text.strip())
        return cls(match[1], (match[2] or match[3] or "").strip())

    @classmethod
    def from_plain(cls, values: dict[str, Any]) -> Target:
        """Restore a target from :func:`dataclasses.asdict`, after a round trip through JSON."""
        classes = values["classes"]
        return cls(**{**values, "classes": None if classes is None else tuple(classes)})

    def __str__(self) -> str:
        return f"{self.name} ({self.unit})" if self.unit else self.name

    def text(self, value: float) -> str:
        """Return a value as a person would write it."""
        return f"{value:g}" if self.classes is None else self.classes[int(value)]


def is_blank(cell: object) -> bool:
    """Whether a cell has no value: None, NaN, or what a CSV file leaves for missing (blank, NA)."""
    return cell is None or cell != cell or (isinstance(cell, str) and cell.strip() in EMPTY_TEXTS)


def parse_number(cell: object) -> float | None:
    """Return the number in a cell; None if it holds something else."""
    if isinstance(cell, str) and "_" in cell:
        return None
    try:
        return float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def parse_numbers(cells: Sequence[object], column: str, source: str) -> NDArray[np.float64]:
    """Return the values of a column, shape (rows,); blank cells are NaN.

    Raises
    ------
    DataError
        If a cell holds something other than a finite number.
    """
    values = np.full(len(cells), np.nan)
    for i, cell in enumerate(cells):
        if is_blank(cell):
            continue
        number = parse_number(cell)
        if number is None or not np.isfinite(number):
            raise DataError(
                f"{source}, row {1 + i}, column {column!r}: {cell!r} is not a finite number; "
                "leave the cell blank where the value is missing, or name both classes with "
                "classes if it is one of two"
            )
        values[i] = number
    return values


def parse_classes(
    cells: Sequence[object], classes: tuple[str, str], column: str, source: str
) -> NDArray[np.float64]:
    """Return the classes of a column as 0 and 1, shape (rows,); blank cells are NaN.

    Raises
    ------
    DataError
        If a cell holds something else.
    """
    values = np.full(len(cells), np.nan)
    for i, cell in enumerate(cells):
        text = str(cell).strip()
        if text in classes:
            values[i] = classes.index(text)
        elif not is_blank(cell):
            raise DataError(
                f"{source}, row {1 + i}, column {column!r}: {cell!r} is neither {classes[0]!r} "
                f"nor {classes[1]!r}; leave the cell blank where it is not known"
            )
    return values
