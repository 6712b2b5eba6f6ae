"""Errors of predictions, with bootstrap intervals."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from matexapps.apps.molecules.tasks.resampling import RESAMPLES, Estimate, estimate, known_pairs


def rmse(value: ArrayLike, predicted: ArrayLike, *, seed: int = 0) -> Estimate:
    """Return the root-mean-square error.

    Parameters
    ----------
    value : array-like, shape (molecules,)
        NaN is missing.
    predicted : array-like, shape (molecules,) or (trainings, molecules)
        With several trainings, the mean of their errors is estimated.
    seed : int
        Of the resampling.
    """
    squared = _squared(value, predicted)
    return _bootstrap(lambda rows: float(_rmse(squared[:, rows])), squared.shape[1], seed)


def rmse_difference(
    value: ArrayLike, predicted: ArrayLike, other: ArrayLike, *, seed: int = 0
) -> Estimate:
    """Return how much larger the error of ``other`` is, on the same resampled molecules.

    Parameters are those of :func:`rmse`.
    """
    own, others = _squared(value, predicted), _squared(value, other)
    return _bootstrap(
        lambda rows: float(_rmse(others[:, rows]) - _rmse(own[:, rows])), own.shape[1], seed
    )


def mean_absolute_error(value: ArrayLike, predicted: ArrayLike) -> float:
    """Return the mean absolute error, averaged over trainings."""
    return float(np.sqrt(_squared(value, predicted)).mean())


def r_squared(value: ArrayLike, predicted: ArrayLike) -> float:
    """Return the share of the values' variance that is explained, averaged over trainings.

    NaN where the values do not vary.
    """
    known = np.asarray(value, float)[np.isfinite(np.asarray(value, float))]
    if len(np.unique(known)) < 2:
        return math.nan
    return float(1 - _squared(value, predicted).mean() / known.var())


def _squared(value: ArrayLike, predicted: ArrayLike) -> NDArray[np.float64]:
    """Return squared errors of known values, shape (trainings, molecules)."""
    values, predictions = known_pairs(value, predicted)
    return np.asarray((predictions - values) ** 2)


def _rmse(squared: NDArray[np.float64]) -> np.floating:
    return np.sqrt(squared.mean(1)).mean()


def _bootstrap(
    statistic: Callable[[NDArray[np.int64] | slice], float], molecules: int, seed: int
) -> Estimate:
    rng = np.random.default_rng(seed)
    drawn = [statistic(rng.integers(molecules, size=molecules)) for _ in range(RESAMPLES)]
    return estimate(statistic(slice(None)), drawn)
