"""How good probabilities of two classes are: ranking and calibration, with bootstrap intervals."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import ArrayLike, NDArray

from matexapps.apps.molecules.tasks.resampling import RESAMPLES, Estimate, estimate, known_pairs

_AT_ONCE = 100
Weights = NDArray[np.float64]


class Score(ABC):
    """A number that tells how good probabilities are, for any weights of the molecules.

    Parameters
    ----------
    value : ndarray, shape (molecules,)
        0 or 1.
    probability : ndarray, shape (molecules,)
        Of class 1.
    """

    lower_is_better = False

    def __init__(self, value: NDArray[np.float64], probability: NDArray[np.float64]) -> None:
        # Molecules of equal probability form a group, which no ranking can tell apart.
        self._order = np.argsort(-probability, kind="stable")
        ordered = probability[self._order]
        self._groups = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        self._value = value[self._order]
        self._squared = (ordered - self._value) ** 2

    @abstractmethod
    def __call__(self, weights: Weights) -> NDArray[np.float64]:
        """Return the score for each row of weights, shape (resamples, molecules).

        NaN where it is not defined, as for a ranking of one class.
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
    """Mean over molecules of class 1 of the precision at their rank; guesses give their share."""

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
"""By name."""


def score(name: str, value: ArrayLike, predicted: ArrayLike, *, seed: int = 0) -> Estimate:
    """Return a score with its interval.

    Parameters
    ----------
    name : str
        One of :data:`SCORES`.
    value : array-like, shape (molecules,)
        0 or 1; missing ones (NaN) are left out.
    predicted : array-like, shape (molecules,) or (trainings, molecules)
        Probabilities of class 1. Of several trainings, the mean of their scores is estimated.
    seed : int
        Of the resampling.

    Returns
    -------
    Estimate
        NaN where the molecules are of one class, and the score needs both.
    """
    return estimate(*_resampled(name, value, predicted, seed))


def score_gain(
    name: str, value: ArrayLike, predicted: ArrayLike, other: ArrayLike, *, seed: int = 0
) -> Estimate:
    """Return by how much the score is better than that of ``other``, on the same resamples.

    Parameters are those of :func:`score`.
    """
    one, ones = _resampled(name, value, predicted, seed)
    two, twos = _resampled(name, value, other, seed)
    sign = -1.0 if SCORES[name].lower_is_better else 1.0
    return estimate(sign * (one - two), sign * (ones - twos))


def reliability(
    value: ArrayLike, probability: ArrayLike, bins: int = 10
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Return mean probability, share of class 1 and number of molecules, bin by bin.

    Bins are equally wide; those without molecules are left out. Several trainings count as one
    long list of molecules.
    """
    values, found = known_pairs(value, probability)
    place = np.minimum((found * bins).astype(int), bins - 1).ravel()
    count = np.bincount(place, minlength=bins)
    used = count > 0
    said = np.bincount(place, found.ravel(), bins)[used] / count[used]
    true = np.bincount(place, np.tile(values, len(found)), bins)[used] / count[used]
    return said, true, count[used]


def _resampled(
    name: str, value: ArrayLike, predicted: ArrayLike, seed: int
) -> tuple[float, NDArray[np.float64]]:
    """Return the score of the molecules as they are, and of resampled ones."""
    values, found = known_pairs(value, predicted)
    scores = [SCORES[name](values, one) for one in found]
    molecules = len(values)

    def mean(weights: Weights) -> NDArray[np.float64]:
        return np.mean([one(weights) for one in scores], axis=0)

    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(RESAMPLES // _AT_ONCE):
        rows = rng.integers(molecules, size=(_AT_ONCE, molecules))
        weights = [np.bincount(one, minlength=molecules) for one in rows]
        drawn.append(mean(np.array(weights, float)))
    return float(mean(np.ones((1, molecules)))[0]), np.concatenate(drawn)


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)
