"""Facts about the labels of some rows, and the check for binary classification."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matexapps.errors import DataError


@dataclass(frozen=True)
class LabelFacts:
    """Facts about labels that merge, so that they can be gathered in pieces.

    Attributes
    ----------
    count : int
    minimum, maximum : float
        Infinite, with the opposite sign, if there is no label.
    integral : bool
        Whether all are whole numbers.
    odd : tuple of (row number, label) or None
        The first label that is neither 0 nor 1.
    """

    count: int = 0
    minimum: float = np.inf
    maximum: float = -np.inf
    integral: bool = True
    odd: tuple[int, float] | None = None

    @classmethod
    def of(cls, label: NDArray[Any], ids: NDArray[np.int64]) -> LabelFacts:
        """Return the facts about ``label``; ``ids`` are the row numbers."""
        if not len(label):
            return cls()
        odd = (label != 0) & (label != 1)
        first = int(np.argmax(odd))
        return cls(
            len(label),
            float(label.min()),
            float(label.max()),
            bool((label == np.floor(label)).all()),
            (int(ids[first]), float(label[first])) if odd[first] else None,
        )

    def merge(self, other: LabelFacts) -> LabelFacts:
        """Return the facts about the labels of both; ``other`` holds the later rows."""
        return LabelFacts(
            self.count + other.count,
            min(self.minimum, other.minimum),
            max(self.maximum, other.maximum),
            self.integral and other.integral,
            self.odd or other.odd,
        )

    @property
    def dtype(self) -> type[np.float32] | type[np.int64]:
        """The type that keeps all of these labels.

        int64, the number of a class, where all are whole, none is negative and one is above 1;
        float32 otherwise: 0/1 labels and regression.
        """
        classes = self.integral and self.minimum >= 0 and self.maximum > 1
        return np.int64 if classes and self.count else np.float32


def require_binary(
    facts: LabelFacts, source: str, locate: Callable[[int], str] | None = None
) -> None:
    """Raise unless every label is 0 or 1 and both occur.

    Parameters
    ----------
    facts : LabelFacts
    source : str
        The file, as the message should call it.
    locate : function of a row number, or None
        Returns where that row is in the file; a reader's ``locate``.

    Raises
    ------
    DataError
        Naming the first row whose label is neither 0 nor 1, or the only class there is.
    """
    if facts.odd is not None:
        row, label = facts.odd
        where = locate(row) if locate is not None else f"row {row} (from 0)"
        raise DataError(
            f"{source}, {where}: the label is {label:g}, neither 0 nor 1; correct it, "
            "or choose another column as the label"
        )
    if facts.count and facts.minimum == facts.maximum:
        raise DataError(
            f"{source}: all {facts.count} labels are {facts.minimum:g}, only one class, so there "
            "is nothing to tell apart; add rows of the other class"
        )
