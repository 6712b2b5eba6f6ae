"""Scores of probabilities of two classes, with bootstrap intervals: ranking and calibration."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import ArrayLike, NDArray

from matexapps.apps.molecules.tasks.resampling import RESAMPLES, Estimate, estimate, known_pairs

_BATCH = 100
Weights = NDArray[np.float64]


class Score(ABC):
    """A score of probabilities, for any weights of the molecules.

    Parameters
    ----------
    value : ndarray, shape (molecules,)
        0 or 1.
    probability : ndarray, shape (molecules,)
        Of class 1.
    """

    lower_is_better = False

    def __init__(self, value: NDArray[np.float64], probability: NDArray[np.float64]) -> None:
        # Molecules of equal probability form a group, within which there is no ranking.
        self._order = np.argsort(-probability, kind="stable")
        ordered = probability[self._order]
        self._groups = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        self._value = value[self._order]
        self._squared = (ordered - self._value) ** 2

    @abstractmethod
    def __call__(self, weights: Weights) -> NDArray[np.float64]:
        """Return the score for each row of weights, shape (resamples, molecules).

        NaN where it is not defined, as for the ranking of a single class.
        """

    def _grouped(self, weights: Weights) -> tuple[Weights, Weights]:
        """Return the weights of class 1 and of class 0 in each group, most probable first."""
        ordered = weights[:, self._order]
        ones = np.add.reduceat(ordered * self._value, self._groups, axis=1)
        return ones, np.add.reduceat(ordered, self._groups, axis=1) - ones


class RocAuc(Score):
    """Area under the ROC curve: how often class 1 is ranked above class 0; ties count half."""

    def __call__(self, weights: Weights) -> NDArray[np.float64]:
        ones, zeros = self._grouped(weights)
        below = zeros.sum(1, keepdims=True) - zeros.cumsum(1) + zeros / 2
        return _ratio((ones * below).sum(1), ones.sum(1) * zeros.sum(1))


class AveragePrecision(Score):
    """Mean precision at the ranks of class 1; random guesses give the share of class 1."""

    def __call__(self, weights: Weights) -> NDArray[np.float64]:
        ones, zeros = self._grouped(weights)
        above = ones.cumsum(1)
        precision = _ratio(above, above + zeros.cumsum(1))
        return _ratio((ones * np.nan_to_num(precision)).sum(1), ones.sum(1))


class Brier(Score):
    """Mean squared difference of probability and class: ranking and calibration together."""

    lower_is_better = True

    def __call__(self, weights: Weights) -> NDArray[np.float64]:
        return _ratio((weights[:, self._order] * self._squared).sum(1), weights.sum(1))


SCORES: dict[str, type[Score]] = {
    "roc_auc": RocAuc,
    "average_precision": AveragePrecision,
    "brier": Brier,
}
"""Scores by name."""


def score(name: str, value: ArrayLike, predicted: ArrayLike, *, seed: int = 0) -> Estimate:
    """Return a score with its interval.

    Parameters
    ----------
    name : str
        One of :data:`SCORES`.
    value : array-like, shape (molecules,)
        0 or 1; NaN is missing.
    predicted : array-like, shape (molecules,) or (trainings, molecules)
        Probabilities of class 1. With several trainings, the mean of their scores is estimated.
    seed : int
        Of the resampling.

    Returns
    -------
    Estimate
        NaN where all molecules are of one class, and the score needs both.
    """
    return estimate(*_resampled(name, value, predicted, seed))


def score_gain(
    name: str, value: ArrayLike, predicted: ArrayLike, other: ArrayLike, *, seed: int = 0
) -> Estimate:
    """Return how much better the score is than that of ``other``, on the same resamples.

    Parameters are those of :func:`score`.
    """
    own, own_resampled = _resampled(name, value, predicted, seed)
    others, others_resampled = _resampled(name, value, other, seed)
    sign = -1.0 if SCORES[name].lower_is_better else 1.0
    return estimate(sign * (own - others), sign * (own_resampled - others_resampled))


def reliability(
    value: ArrayLike, probability: ArrayLike, bins: int = 10
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Return mean probability, share of class 1 and number of molecules of each bin.

    Bins have the same width; empty ones are left out. The molecules of several trainings are
    pooled.
    """
    values, probabilities = known_pairs(value, probability)
    bin_index = np.minimum((probabilities * bins).astype(int), bins - 1).ravel()
    count = np.bincount(bin_index, minlength=bins)
    used = count > 0
    predicted = np.bincount(bin_index, probabilities.ravel(), bins)[used] / count[used]
    true = np.bincount(bin_index, np.tile(values, len(probabilities)), bins)[used] / count[used]
    return predicted, true, count[used]


def _resampled(
    name: str, value: ArrayLike, predicted: ArrayLike, seed: int
) -> tuple[float, NDArray[np.float64]]:
    """Return the score of the molecules, and of resamples of them."""
    values, predictions = known_pairs(value, predicted)
    scores = [SCORES[name](values, training) for training in predictions]
    molecules = len(values)

    def mean(weights: Weights) -> NDArray[np.float64]:
        return np.mean([score(weights) for score in scores], axis=0)

    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(RESAMPLES // _BATCH):
        rows = rng.integers(molecules, size=(_BATCH, molecules))
        weights = [np.bincount(sample, minlength=molecules) for sample in rows]
        drawn.append(mean(np.array(weights, float)))
    return float(mean(np.ones((1, molecules)))[0]), np.concatenate(drawn)


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)
