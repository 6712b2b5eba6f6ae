"""Bootstrap intervals of any figure, and of the difference between two models on the same rows.

The percentile bootstrap (Efron, Ann. Statist. 7 (1979) 1). A figure is computed for *weights* of
the rows, how often each was drawn: that lets rankings be sorted a single time for all resamples,
where :func:`scipy.stats.bootstrap` would sort each resample anew.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from matexapps.errors import DataError

LEVEL = 0.95
"""Share of the resampled values that an interval holds."""

RESAMPLES = 1000
_WEIGHTS_AT_A_TIME = 2**22

Weights = NDArray[np.float64]
Key = TypeVar("Key", bound=Hashable)
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


@dataclass(frozen=True)
class Resampled:
    """A figure of the rows as they are, and of each resample of them.

    Attributes
    ----------
    value : float
    resamples : ndarray, shape (resamples,)
        NaN where the figure is not defined.
    """

    value: float
    resamples: NDArray[np.float64]

    def __sub__(self, other: Resampled) -> Resampled:
        """Return the paired difference of two figures of the same resamples."""
        return Resampled(self.value - other.value, self.resamples - other.resamples)

    @property
    def estimate(self) -> Estimate:
        """The figure with the interval that holds 95 % of its resampled values."""
        values = self.resamples[np.isfinite(self.resamples)]
        if len(values) == 0:
            return Estimate(self.value, np.nan, np.nan)
        low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return Estimate(self.value, float(low), float(high))


def resample(
    models: Mapping[Key, Sequence[Figure]],
    rows: int,
    weight: NDArray[Any] | None = None,
    *,
    seed: int = 0,
) -> dict[Key, Resampled]:
    """Resample rows, and return the figure of each model, the mean over its trainings.

    All models are judged on the same resamples, so that their figures are paired.

    Parameters
    ----------
    models : mapping to sequence of callable
        For each model, the figure of each training; see :data:`Figure`.
    rows : int
    weight : ndarray, shape (rows,), or None
        Of each row, beside how often it is drawn.
    seed : int
        Of the resampling.
    """
    own = np.ones(rows) if weight is None else np.asarray(weight, float)

    def judge(weights: Weights) -> list[NDArray[np.float64]]:
        weighted = weights * own
        return [np.mean([figure(weighted) for figure in each], axis=0) for each in models.values()]

    rng = np.random.default_rng(seed)
    size = max(1, _WEIGHTS_AT_A_TIME // rows)
    resampled = []
    for start in range(0, RESAMPLES, size):
        drawn = (rng.integers(rows, size=rows) for _ in range(min(size, RESAMPLES - start)))
        resampled.append(
            judge(np.array([np.bincount(row, minlength=rows) for row in drawn], float))
        )
    values = judge(np.ones((1, rows)))
    return {
        key: Resampled(float(value[0]), np.concatenate(parts))
        for key, value, parts in zip(models, values, zip(*resampled, strict=True), strict=True)
    }


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
