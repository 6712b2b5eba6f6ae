"""Bootstrap intervals over molecules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from matexapps.errors import DataError

RESAMPLES = 1000
_LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % percentile bootstrap interval over molecules."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        if np.isnan(self.value):
            return "not defined"
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def estimate(value: float, resampled: ArrayLike) -> Estimate:
    """Return a value with the interval that contains 95 % of its resamples, without NaN."""
    drawn = np.asarray(resampled, float)
    drawn = drawn[np.isfinite(drawn)]
    if len(drawn) == 0:
        return Estimate(value, np.nan, np.nan)
    low, high = np.quantile(drawn, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Estimate(value, float(low), float(high))


def known_pairs(
    value: ArrayLike, predicted: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return known values, shape (known,), and their predictions, shape (trainings, known).

    Raises
    ------
    DataError
        If the shapes do not match, or no value is known.
    """
    values, predictions = np.asarray(value, float), np.atleast_2d(np.asarray(predicted, float))
    if values.ndim != 1 or predictions.shape[1:] != values.shape:
        raise DataError(
            f"values {values.shape} and predictions {np.shape(predicted)} do not fit: give one "
            "prediction for each molecule"
        )
    known = np.isfinite(values)
    if not known.any():
        raise DataError("no molecule has a known value, so there is no error to speak of")
    return values[known], predictions[:, known]
