"""Structures and measured values, as a file has them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matexapps.apps.molecules.data.components import join
from matexapps.data.schema.encoding import EMPTY_TEXTS
from matexapps.errors import DataError, did_you_mean


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
        found = re.fullmatch(r"\s*(.+?)\s*(?:\(([^()]*)\)|\[([^\[\]]*)\])\s*", text)
        if found is None:
            return cls(text.strip())
        return cls(found[1], (found[2] or found[3] or "").strip())

    @classmethod
    def from_plain(cls, given: dict[str, Any]) -> Target:
        """Make it of what :func:`dataclasses.asdict` and JSON have made of one."""
        first_and_second = given["classes"]
        classes = None if first_and_second is None else tuple(first_and_second)
        return cls(**{**given, "classes": classes})

    def __str__(self) -> str:
        return f"{self.name} ({self.unit})" if self.unit else self.name

    def text(self, value: float) -> str:
        """Return a value as a person would write it."""
        return f"{value:g}" if self.classes is None else self.classes[int(value)]


@dataclass(frozen=True)
class Records:
    """The rows of a file: structures, and values.

    Attributes
    ----------
    source : str
        For messages.
    structures : list of tuple of str
        SMILES as written in the file, one for each of its columns of structures; empty where it
        has none.
    values : ndarray of float64, shape (rows, targets)
        NaN is missing.
    targets : list of Target
    rows : ndarray of int64, shape (rows,)
        Numbers of the rows in the file, from 1, without the header.
    part_key : ndarray of object, shape (rows,), or None
        The column that a split goes by.
    smiles_columns : tuple of str
        What the structures of a row are called.
    """

    source: str
    structures: list[tuple[str, ...]]
    values: NDArray[np.float64]
    targets: list[Target]
    rows: NDArray[np.int64]
    part_key: NDArray[np.object_] | None = None
    smiles_columns: tuple[str, ...] = ("smiles",)

    def __len__(self) -> int:
        return len(self.structures)

    @property
    def smiles(self) -> list[str]:
        """The structures of each row as one text, for messages."""
        return [join(row) for row in self.structures]

    def take(self, places: NDArray[np.int64]) -> Records:
        """Return the rows at these places, in this order."""
        return Records(
            source=self.source,
            structures=[self.structures[place] for place in places],
            values=self.values[places],
            targets=self.targets,
            rows=self.rows[places],
            part_key=None if self.part_key is None else self.part_key[places],
            smiles_columns=self.smiles_columns,
        )


def numbers(
    texts: Sequence[object], column: str, source: str, first_row: int = 1
) -> NDArray[np.float64]:
    """Return a column's values; blank cells, NaN and None are missing.

    Raises
    ------
    DataError
        If a cell holds something else than a finite number; rows count from ``first_row``.
    """
    values = np.full(len(texts), np.nan)
    for place, text in enumerate(texts):
        if is_blank(text):
            continue
        try:
            values[place] = float(text)  # type: ignore[arg-type]  # what cannot be read is refused
        except (TypeError, ValueError):
            values[place] = np.inf
        if np.isinf(values[place]):
            raise DataError(
                f"{source}, row {first_row + place}, column {column!r}: {text!r} is not a finite "
                "number; leave the cell blank where the value is missing, or name both classes "
                "with classes if it is one of two"
            )
    return values


def codes(
    texts: Sequence[object], classes: tuple[str, str], column: str, source: str
) -> NDArray[np.float64]:
    """Return a column's classes as 0 and 1; blank cells and None are missing.

    Raises
    ------
    DataError
        If a cell holds something else.
    """
    values = np.full(len(texts), np.nan)
    for place, text in enumerate(texts):
        if is_blank(text) and str(text).strip() not in classes:
            continue
        if str(text).strip() not in classes:
            raise DataError(
                f"{source}, row {1 + place}, column {column!r}: {text!r} is neither "
                f"{classes[0]!r} nor {classes[1]!r}; leave the cell blank where it is not known"
            )
        values[place] = classes.index(str(text).strip())
    return values


def is_blank(cell: object) -> bool:
    """Whether a cell has no value: None, NaN, or what a CSV file leaves for missing (blank, NA)."""
    return cell is None or cell != cell or (isinstance(cell, str) and cell.strip() in EMPTY_TEXTS)


def chosen_column(wanted: str, names: Sequence[str], source: str, what: str) -> str:
    """Return the column called ``wanted``, also where its header names a unit behind it.

    Raises
    ------
    DataError
        If there is none, or several.
    """
    found = [wanted] if wanted in names else _named(wanted, names)
    if len(set(found)) > 1:
        raise DataError(
            f"{source} has several columns {wanted!r} for {what}: {', '.join(map(repr, found))}; "
            "name one with its unit"
        )
    if found:
        return check_once(found[0], names, source)
    raise DataError(
        f"{source} has no column {wanted!r} for {what}{did_you_mean(wanted, names)}; it has "
        f"{', '.join(map(repr, names))}"
    )


def _named(wanted: str, names: Sequence[str]) -> list[str]:
    """Return the columns called so without their units."""
    return [name for name in names if Target.from_header(name).name == wanted]


def check_once(name: str, names: Sequence[str], source: str) -> str:
    """Return the name of a column.

    Raises
    ------
    DataError
        If several columns have it.
    """
    if names.count(name) > 1:
        raise DataError(
            f"{source} has {names.count(name)} columns called {name!r}: give each a name of its own"
        )
    return name
