"""Structures and measured values, as a file has them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matexapps.errors import DataError, did_you_mean


@dataclass(frozen=True)
class Target:
    """A measured quantity.

    Attributes
    ----------
    name : str
    unit : str
        Empty for pure numbers, or where the file does not say.
    """

    name: str
    unit: str = ""

    @classmethod
    def from_header(cls, text: str) -> Target:
        """Read ``"solubility (log mol/L)"`` or ``"solubility [log mol/L]"``."""
        found = re.fullmatch(r"\s*(.+?)\s*(?:\(([^()]*)\)|\[([^\[\]]*)\])\s*", text)
        if found is None:
            return cls(text.strip())
        return cls(found[1], (found[2] or found[3] or "").strip())

    def __str__(self) -> str:
        return f"{self.name} ({self.unit})" if self.unit else self.name


@dataclass(frozen=True)
class Records:
    """The rows of a file: one structure each, and its values.

    Attributes
    ----------
    source : str
        For messages.
    smiles : list of str
        As written in the file; empty where it has none.
    values : ndarray of float64, shape (rows, targets)
        NaN is missing.
    targets : list of Target
    rows : ndarray of int64, shape (rows,)
        Numbers of the rows in the file, from 1, without the header.
    part_key : ndarray of object, shape (rows,), or None
        The column that a split goes by.
    """

    source: str
    smiles: list[str]
    values: NDArray[np.float64]
    targets: list[Target]
    rows: NDArray[np.int64]
    part_key: NDArray[np.object_] | None = None

    def __len__(self) -> int:
        return len(self.smiles)

    def take(self, places: NDArray[np.int64]) -> Records:
        """Return the rows at these places, in this order."""
        return Records(
            source=self.source,
            smiles=[self.smiles[place] for place in places],
            values=self.values[places],
            targets=self.targets,
            rows=self.rows[places],
            part_key=None if self.part_key is None else self.part_key[places],
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
        if text is None or text != text or (isinstance(text, str) and not text.strip()):
            continue
        try:
            values[place] = float(text)  # type: ignore[arg-type]  # what cannot be read is refused
        except (TypeError, ValueError):
            values[place] = np.inf
        if np.isinf(values[place]):
            raise DataError(
                f"{source}, row {first_row + place}, column {column!r}: {text!r} is not a finite "
                "number; leave the cell blank where the value is missing"
            )
    return values


def chosen_column(wanted: str, names: Sequence[str], source: str, what: str) -> str:
    """Return the column called ``wanted``, also where its header names a unit behind it.

    Raises
    ------
    DataError
        If there is none.
    """
    if wanted in names:
        return wanted
    for name in names:
        if Target.from_header(name).name == wanted:
            return name
    raise DataError(
        f"{source} has no column {wanted!r} for {what}{did_you_mean(wanted, names)}; it has "
        f"{', '.join(map(repr, names))}"
    )
