"""Bootstrap intervals of the area under the ROC curve, and of differences between models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from matexapps.apps.higgs.report.curves import checked


@dataclass(frozen=True)
class Estimate:
    """A value with its percentile bootstrap interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} ({self.low:.4f} to {self.high:.4f})"


def bootstrap_auc(
    label: ArrayLike,
    score: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    resamples: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """Return the AUC of a score, and an interval over resampled rows.

    Parameters
    ----------
    label, weight : array-like, shape (rows,)
    score : array-like, shape (rows,) or (trainings, rows)
        Of several trainings, the mean of their AUCs is estimated.
    resamples : int
        How often rows are drawn with replacement.
    level : float
        Coverage of the interval.
    seed : int
    """
    means, value = _resampled([np.atleast_2d(score)], label, weight, resamples, seed)
    return _estimate(value[0], means[:, 0], level)


def bootstrap_auc_difference(
    label: ArrayLike,
    score: ArrayLike,
    other: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    resamples: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """Return AUC of ``score`` minus AUC of ``other``, both on the same resampled rows.

    Parameters are those of :func:`bootstrap_auc`.
    """
    scores = [np.atleast_2d(score), np.atleast_2d(other)]
    means, value = _resampled(scores, label, weight, resamples, seed)
    return _estimate(value[0] - value[1], means[:, 0] - means[:, 1], level)


class _SortedAuc:
    """The AUC of one score under changing weights, sorted only once."""

    def __init__(self, signal: NDArray[np.bool_], score: NDArray[np.float64]) -> None:
        self._order = np.argsort(score, kind="stable")
        ordered = score[self._order]
        self._signal = signal[self._order]
        # Rows of equal score form a group; pairs within it count half.
        self._groups = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])

    def __call__(self, weight: NDArray[np.float64]) -> float:
        ordered = weight[self._order]
        signal = np.add.reduceat(np.where(self._signal, ordered, 0.0), self._groups)
        background = np.add.reduceat(np.where(self._signal, 0.0, ordered), self._groups)
        below = np.cumsum(background) - background / 2
        return float(signal @ below / (signal.sum() * background.sum()))


def _resampled(
    scores: list[NDArray[np.float64]],
    label: ArrayLike,
    weight: ArrayLike | None,
    resamples: int,
    seed: int,
) -> tuple[NDArray[np.float64], list[float]]:
    """Return mean AUCs, shape (resamples, models), and those of the rows as they are."""
    signal, _, weights = checked(label, scores[0][0], weight)
    models = [[_SortedAuc(signal, checked(label, one, weight)[1]) for one in s] for s in scores]
    rng = np.random.default_rng(seed)
    rows = len(signal)
    values = np.empty((resamples, len(models)))
    for number in range(resamples):
        drawn = weights * np.bincount(rng.integers(rows, size=rows), minlength=rows)
        values[number] = [np.mean([auc(drawn) for auc in model]) for model in models]
    return values, [float(np.mean([auc(weights) for auc in model])) for model in models]


def _estimate(value: float, resampled: NDArray[np.float64], level: float) -> Estimate:
    low, high = np.nanquantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, float(low), float(high))
