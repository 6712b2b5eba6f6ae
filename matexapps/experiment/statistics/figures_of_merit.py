"""Figures of merit of predictions, for any weights of the rows; see :mod:`.bootstrap`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from matexapps.experiment.statistics.bootstrap import (
    Estimate,
    Resampled,
    Weights,
    known_pairs,
    resample,
)


class FigureOfMerit(ABC):
    """A number that tells how good predictions are.

    Parameters
    ----------
    value : ndarray, shape (rows,)
        What was measured: a number, or a class of 0 and 1.
    predicted : ndarray, shape (rows,)
        A number, or the probability of class 1.

    Attributes
    ----------
    title : str
        The figure's name for a reader.
    lower_is_better : bool
    """

    title: ClassVar[str]
    lower_is_better: ClassVar[bool] = False

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

    title = "ROC AUC"

    def __call__(self, weights: Weights) -> NDArray[np.float64]:
        ones, zeros = self._grouped(weights)
        below = zeros.sum(1, keepdims=True) - zeros.cumsum(1) + zeros / 2
        return _ratio((ones * below).sum(1), ones.sum(1) * zeros.sum(1))


class AveragePrecision(_Ranking):
    """Mean precision at the ranks of class 1; guesses give the share of class 1."""

    title = "average precision"

    def __call__(self, weights: Weights) -> NDArray[np.float64]:
        ones, zeros = self._grouped(weights)
        above = ones.cumsum(1)
        precision = _ratio(above, above + zeros.cumsum(1))
        return _ratio((ones * np.nan_to_num(precision)).sum(1), ones.sum(1))


class Brier(FigureOfMerit):
    """Mean squared difference of probability and class (Brier, Mon. Weather Rev. 78 (1950) 1)."""

    title = "Brier score"
    lower_is_better = True

    def __init__(self, value: NDArray[np.float64], predicted: NDArray[np.float64]) -> None:
        self._squared = (predicted - value) ** 2

    def __call__(self, weights: Weights) -> NDArray[np.float64]:
        return _ratio(weights @ self._squared, weights.sum(1))


class Accuracy(FigureOfMerit):
    """Share of rows whose predicted class is right; both are numbers of classes."""

    title = "accuracy"

    def __init__(self, value: NDArray[np.float64], predicted: NDArray[np.float64]) -> None:
        self._right = (predicted == value).astype(float)

    def __call__(self, weights: Weights) -> NDArray[np.float64]:
        return _ratio(weights @ self._right, weights.sum(1))


class Rmse(FigureOfMerit):
    """Root mean squared error."""

    title = "RMSE"
    lower_is_better = True

    def __init__(self, value: NDArray[np.float64], predicted: NDArray[np.float64]) -> None:
        self._squared = (predicted - value) ** 2

    def __call__(self, weights: Weights) -> NDArray[np.float64]:
        return np.sqrt(_ratio(weights @ self._squared, weights.sum(1)))


class MeanAbsoluteError(FigureOfMerit):
    """Mean absolute error."""

    title = "MAE"
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


def resampled_figures(
    names: Sequence[str],
    value: ArrayLike,
    models: Mapping[str, ArrayLike],
    weight: ArrayLike | None = None,
    *,
    seed: int = 0,
) -> dict[str, dict[str, Resampled]]:
    """Return figures of merit of several models, all on the same resampled rows.

    Parameters
    ----------
    names : sequence of str
        Of :data:`FIGURES`.
    value : array-like, shape (rows,)
        NaN is missing and left out.
    models : mapping of str to array-like, shape (rows,) or (trainings, rows)
        Predictions of each; of several trainings, the mean of their figures is estimated.
    weight : array-like, shape (rows,), or None
    seed : int
        Of the resampling.

    Returns
    -------
    dict
        For each model, its figures by name.
    """
    prepared = {
        (model, name): _of_trainings(name, value, predicted, weight)
        for model, predicted in models.items()
        for name in names
    }
    _, rows, weights = next(iter(prepared.values()))
    figures = {key: trainings for key, (trainings, _, _) in prepared.items()}
    resampled = resample(figures, rows, weights, seed=seed)
    return {model: {name: resampled[model, name] for name in names} for model in models}


def improvement(name: str, model: Resampled, other: Resampled) -> Resampled:
    """Return by how much a model's figure of merit is better than another's.

    Positive is better, whether the figure rises or falls with quality.
    """
    return other - model if FIGURES[name].lower_is_better else model - other


def figure(
    name: str,
    value: ArrayLike,
    predicted: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    seed: int = 0,
) -> Estimate:
    """Return a figure of merit with its interval.

    Parameters are those of :func:`resampled_figures`, for one name and one model.
    """
    resampled = resampled_figures([name], value, {"model": predicted}, weight, seed=seed)
    return resampled["model"][name].estimate


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
    values, predictions, weights = _known(value, predicted, weight)
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

    Parameters are those of :func:`figure`.
    """
    models = {"model": predicted, "other": other}
    resampled = resampled_figures([name], value, models, weight, seed=seed)
    return improvement(name, resampled["model"][name], resampled["other"][name]).estimate


def _of_trainings(
    name: str, value: ArrayLike, predicted: ArrayLike, weight: ArrayLike | None
) -> tuple[list[FigureOfMerit], int, NDArray[np.float64] | None]:
    values, predictions, weights = _known(value, predicted, weight)
    return [FIGURES[name](values, row) for row in predictions], len(values), weights


def _known(
    value: ArrayLike, predicted: ArrayLike, weight: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None]:
    """Return values, predictions and weights of the rows whose value is known."""
    values, predictions = known_pairs(value, predicted)
    if weight is None:
        return values, predictions, None
    return values, predictions, np.asarray(weight, float)[np.isfinite(np.asarray(value, float))]


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)
