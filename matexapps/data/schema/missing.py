"""Missing values are declared, never guessed.

A cell that is empty or NaN, and a number that stands for "not measured" such as -999, is an
error in a label and in a weight. In a feature it is one too, unless ``missing=`` declares it:
then it becomes NaN, and the model (or whoever prepares its input from the training rows) has to
deal with NaN. ``missing=-999.0`` declares that number, ``missing=math.nan`` declares empty and
NaN cells, and a sequence declares several. Infinite values are always an error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from matexapps.errors import DataError


@dataclass(frozen=True)
class Missing:
    """Which values of a feature mean that there is none.

    Attributes
    ----------
    values : tuple of float
        Finite numbers that stand for a missing value.
    nan : bool
        Whether empty and NaN cells do.
    """

    values: tuple[float, ...] = ()
    nan: bool = False

    @classmethod
    def declared(cls, missing: float | Sequence[float] | None) -> Missing:
        """Return the rule for a ``missing=`` setting."""
        if missing is None:
            return cls()
        given = missing if isinstance(missing, Sequence) else (missing,)
        if isinstance(missing, str) or not all(isinstance(v, Real) for v in given):
            raise DataError(
                f"missing={missing!r} is not a number or a sequence of numbers: use for example "
                "missing=-999.0, or missing=math.nan for empty and NaN cells"
            )
        finite = tuple(float(v) for v in given if math.isfinite(v))
        return cls(values=finite, nan=any(math.isnan(v) for v in given))

    def first_bad(self, features: NDArray[np.float32]) -> tuple[int, int] | None:
        """Return row and column of the first value that is not allowed, or None.

        For samples that are arrays, "column" is the value's position in the flattened sample.
        """
        if features.size == 0:
            return None
        flat = features.reshape(len(features), -1)
        # A sum of squares is finite only if all values are, and costs a tenth of checking each.
        with np.errstate(over="ignore"):
            if not self.nan and np.isfinite(np.dot(flat.ravel(), flat.ravel())):
                return None
        bad = np.isinf(flat) if self.nan else ~np.isfinite(flat)
        if not bad.any():
            return None
        row, column = divmod(int(np.argmax(bad)), flat.shape[1])
        return row, column

    def to_nan(self, features: NDArray[np.float32]) -> None:
        """Overwrite declared values by NaN, in place."""
        for value in self.values:
            features[features == np.float32(value)] = np.nan


def bad_value(value: float) -> str:
    """Return an error message for a feature that is infinite or an undeclared NaN."""
    if math.isnan(value):
        return "the value is NaN or empty; correct it, or declare such cells with missing=math.nan"
    return f"{value} is not a finite 32-bit number; correct it or remove the row"
