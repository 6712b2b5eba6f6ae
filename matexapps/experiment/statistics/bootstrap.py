"""Bootstrap intervals of any figure, and of the difference between two models on the same rows.

The percentile bootstrap (Efron, Ann. Statist. 7 (1979) 1). A figure is computed for *weights* of
the rows, how often each was drawn: that lets rankings be sorted a single time for all resamples,
where :func:`scipy.stats.bootstrap` would sort each resample anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from matexapps.errors import DataError

LEVEL = 0.95
"""Share of the resampled values that an interval holds."""

RESAMPLES = 1000
_WEIGHTS_AT_A_TIME = 2**22

Weights = NDArray[np.float64]
Figure = Callable[[Weights], NDArray[np.float64]]
"""From weights of the rows, shape (resamples, rows), to the figure of each resample."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % percentile bootstrap interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        if np.isnan(self.value):
            return "not defined"
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"

    @property
    def interval(self) -> list[float]:
        """``[low, high]``."""
        return [self.low, self.high]


def estimate(value: float, resampled: ArrayLike) -> Estimate:
    """Return a figure with the interval that holds 95 % of its resampled values.

    Resamples in which the figure is not defined (NaN) are left out.
    """
    values = np.asarray(resampled, float)
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return Estimate(value, np.nan, np.nan)
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value, float(low), float(high))


def bootstrap(
    figures: Sequence[Figure], rows: int, weight: NDArray[Any] | None = None, *, seed: int = 0
) -> Estimate:
    """Return the mean of several trainings' figures, with its interval over resampled rows.

    Parameters
    ----------
    figures : sequence of callable
        One for each training; see :data:`Figure`.
    rows : int
    weight : ndarray, shape (rows,), or None
        Of each row, beside how often it is drawn.
    seed : int
        Of the resampling. The same seed draws the same rows, so that two calls with the same
        number of rows are paired.
    """
    value, resampled = _mean_figure(figures, rows, weight, seed)
    return estimate(value, resampled)


def paired_difference(
    figures: Sequence[Figure],
    others: Sequence[Figure],
    rows: int,
    weight: NDArray[Any] | None = None,
    *,
    seed: int = 0,
) -> Estimate:
    """Return the figure of one model minus that of another, both on the same resampled rows.

    Parameters are those of :func:`bootstrap`, ``others`` being the other model's trainings.
    """
    value, resampled = _mean_figure(figures, rows, weight, seed)
    other_value, other_resampled = _mean_figure(others, rows, weight, seed)
    return estimate(value - other_value, resampled - other_resampled)


def known_pairs(
    value: ArrayLike, predicted: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return known values, shape (known,), and their predictions, shape (trainings, known).

    Parameters
    ----------
    value : array-like, shape (rows,)
        NaN is missing.
    predicted : array-like, shape (rows,) or (trainings, rows)

    Raises
    ------
    DataError
        If the shapes do not fit, or no value is known.
    """
    values, predictions = np.asarray(value, float), np.atleast_2d(np.asarray(predicted, float))
    if values.ndim != 1 or predictions.shape[1:] != values.shape:
        raise DataError(
            f"values {values.shape} and predictions {np.shape(predicted)} do not fit: give one "
            "prediction for each row"
        )
    known = np.isfinite(values)
    if not known.any():
        raise DataError("no row has a known value, so no error can be computed")
    return values[known], predictions[:, known]


def _mean_figure(
    figures: Sequence[Figure], rows: int, weight: NDArray[Any] | None, seed: int
) -> tuple[float, NDArray[np.float64]]:
    """Return the mean figure of the rows as they are, and of each resample."""
    own = np.ones(rows) if weight is None else np.asarray(weight, float)

    def mean(weights: Weights) -> NDArray[np.float64]:
        return np.mean([figure(weights * own) for figure in figures], axis=0)

    rng = np.random.default_rng(seed)
    size = max(1, _WEIGHTS_AT_A_TIME // rows)
    resampled = []
    for start in range(0, RESAMPLES, size):
        drawn = (rng.integers(rows, size=rows) for _ in range(min(size, RESAMPLES - start)))
        resampled.append(mean(np.array([np.bincount(row, minlength=rows) for row in drawn], float)))
    return float(mean(np.ones((1, rows)))[0]), np.concatenate(resampled)
