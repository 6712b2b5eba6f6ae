"""Figures of merit of predictions, for any weights of the rows; see :mod:`.bootstrap`."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import ArrayLike, NDArray

from matexapps.experiment.statistics.bootstrap import (
    Estimate,
    Weights,
    bootstrap,
    known_pairs,
    paired_difference,
)


class FigureOfMerit(ABC):
    """A number that tells how good predictions are.

    Parameters
    ----------
    value : ndarray, shape (rows,)
        What was measured: a number, or a class of 0 and 1.
    predicted : ndarray, shape (rows,)
        A number, or the probability of class 1.
    """

    lower_is_better = False

    @abstractmethod
    def __init__(self, value: NDArray[np.float64], predicted: NDArray[np.float64]) -> None: ...

    @abstractmethod
    def __call__(self, weights: Weights) -> NDArray[np.float64]:
        """Return the figure for each row of weights, shape (resamples, rows).

        NaN where it is not defined, as for a ranking of one class.
        """


class _Ranking(FigureOfMerit):
    """Rows in descending order of probability; rows of equal probability form a group."""

    def __init__(self, value: NDArray[np.float64], predicted: NDArray[np.float64]) -> None:
        self._order = np.argsort(-predicted, kind="stable")
        ordered = predicted[self._order]
        self._groups = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        self._value = value[self._order]

    def _grouped(self, weights: Weights) -> tuple[Weights, Weights]:
        """Return the weights of class 1 and of class 0 in each group, most probable first."""
        ordered = weights[:, self._order]
        ones = np.add.reduceat(ordered * self._value, self._groups, axis=1)
        zeros = np.add.reduceat(ordered * (1 - self._value), self._groups, axis=1)
        return ones, zeros


class RocAuc(_Ranking):
    """Area under the ROC curve: how often class 1 is ranked above class 0; ties count half."""

    def __call__(self, weights: Weights) -> NDArray[np.float64]:
        ones, zeros = self._grouped(weights)
        below = zeros.sum(1, keepdims=True) - zeros.cumsum(1) + zeros / 2
        return _ratio((ones * below).sum(1), ones.sum(1) * zeros.sum(1))


class AveragePrecision(_Ranking):
    """Mean precision at the ranks of class 1; guesses give the share of class 1."""

    def __call__(self, weights: Weights) -> NDArray[np.float64]:
        ones, zeros = self._grouped(weights)
        above = ones.cumsum(1)
        precision = _ratio(above, above + zeros.cumsum(1))
        return _ratio((ones * np.nan_to_num(precision)).sum(1), ones.sum(1))


class Brier(FigureOfMerit):
    """Mean squared difference of probability and class (Brier, Mon. Weather Rev. 78 (1950) 1)."""

    lower_is_better = True

    def __init__(self, value: NDArray[np.float64], predicted: NDArray[np.float64]) -> None:
        self._squared = (predicted - value) ** 2

    def __call__(self, weights: Weights) -> NDArray[np.float64]:
        return _ratio(weights @ self._squared, weights.sum(1))


class Accuracy(FigureOfMerit):
    """Share of rows whose predicted class is right; both are numbers of classes."""

    def __init__(self, value: NDArray[np.float64], predicted: NDArray[np.float64]) -> None:
        self._right = (predicted == value).astype(float)

    def __call__(self, weights: Weights) -> NDArray[np.float64]:
        return _ratio(weights @ self._right, weights.sum(1))


class Rmse(FigureOfMerit):
    """Root mean squared error."""

    lower_is_better = True

    def __init__(self, value: NDArray[np.float64], predicted: NDArray[np.float64]) -> None:
        self._squared = (predicted - value) ** 2

    def __call__(self, weights: Weights) -> NDArray[np.float64]:
        return np.sqrt(_ratio(weights @ self._squared, weights.sum(1)))


class MeanAbsoluteError(FigureOfMerit):
    """Mean absolute error."""

    lower_is_better = True

    def __init__(self, value: NDArray[np.float64], predicted: NDArray[np.float64]) -> None:
        self._absolute = np.abs(predicted - value)

    def __call__(self, weights: Weights) -> NDArray[np.float64]:
        return _ratio(weights @ self._absolute, weights.sum(1))


FIGURES: dict[str, type[FigureOfMerit]] = {
    "roc_auc": RocAuc,
    "average_precision": AveragePrecision,
    "brier": Brier,
    "accuracy": Accuracy,
    "rmse": Rmse,
    "mae": MeanAbsoluteError,
}
"""By name."""


def figure(
    name: str,
    value: ArrayLike,
    predicted: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    seed: int = 0,
) -> Estimate:
    """Return a figure of merit with its interval.

    Parameters
    ----------
    name : str
        One of :data:`FIGURES`.
    value : array-like, shape (rows,)
        NaN is missing and left out.
    predicted : array-like, shape (rows,) or (trainings, rows)
        Of several trainings, the mean of their figures is estimated.
    weight : array-like, shape (rows,), or None
    seed : int
        Of the resampling.
    """
    trainings, rows, weights = _of_trainings(name, value, predicted, weight)
    return bootstrap(trainings, rows, weights, seed=seed)


def figure_value(
    name: str, value: ArrayLike, predicted: ArrayLike, weight: ArrayLike | None = None
) -> float:
    """Return a figure of merit without its interval; parameters are those of :func:`figure`."""
    trainings, rows, weights = _of_trainings(name, value, predicted, weight)
    own = np.ones((1, rows)) if weights is None else weights[None]
    return float(np.mean([training(own)[0] for training in trainings]))


def r_squared(value: ArrayLike, predicted: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Return the share of the values' variance that is explained, averaged over trainings.

    Parameters are those of :func:`figure`. NaN where the values do not vary.
    """
    values, predictions = known_pairs(value, predicted)
    weights = None
    if weight is not None:
        weights = np.asarray(weight, float)[np.isfinite(np.asarray(value, float))]
    if len(np.unique(values)) == 1:
        return float("nan")
    spread = (values - np.average(values, weights=weights)) ** 2
    squared = ((predictions - values) ** 2).mean(0)
    return float(1 - np.average(squared, weights=weights) / np.average(spread, weights=weights))


def gain(
    name: str,
    value: ArrayLike,
    predicted: ArrayLike,
    other: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    seed: int = 0,
) -> Estimate:
    """Return by how much predictions are better than ``other``, on the same resampled rows.

    Positive is better, whether the figure rises or falls with quality. Parameters are those of
    :func:`figure`.
    """
    trainings, rows, weights = _of_trainings(name, value, predicted, weight)
    others, _, _ = _of_trainings(name, value, other, weight)
    if FIGURES[name].lower_is_better:
        trainings, others = others, trainings
    return paired_difference(trainings, others, rows, weights, seed=seed)


def _of_trainings(
    name: str, value: ArrayLike, predicted: ArrayLike, weight: ArrayLike | None
) -> tuple[list[FigureOfMerit], int, NDArray[np.float64] | None]:
    values, predictions = known_pairs(value, predicted)
    weights = None
    if weight is not None:
        weights = np.asarray(weight, float)[np.isfinite(np.asarray(value, float))]
    return [FIGURES[name](values, row) for row in predictions], len(values), weights


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)
