"""From an ensemble's outputs to probabilities and calibrated sets of classes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from matexapps.apps.molecules.tasks.estimates import Values
from matexapps.experiment.statistics.conformal import LEVEL

CLASSES = 2


@dataclass(frozen=True)
class Probabilities:
    """Predictions of an ensemble for molecules: the probability of the second class.

    Attributes
    ----------
    mean : ndarray, shape (molecules, targets)
        The members' mean probability.
    disagreement : ndarray, shape (molecules, targets)
        Standard deviation of the members' probabilities.
    """

    mean: Values
    disagreement: Values

    @classmethod
    def from_outputs(cls, outputs: NDArray[np.float32], log_odds: Values) -> Probabilities:
        """Convert outputs relative to log-odds, shape (molecules, members, targets, 1)."""
        members = expit(outputs[..., 0].astype(np.float64) + log_odds)
        return cls(mean=members.mean(1), disagreement=members.std(1))

    def of_classes(self) -> Values:
        """Return the probabilities of both classes, shape (molecules, targets, 2)."""
        return np.stack([1 - self.mean, self.mean], 2)


def least_probabilities(
    probabilities: Probabilities, values: Values, level: float = LEVEL
) -> Values:
    """Return the least probability of a class that is in a molecule's prediction set.

    Conformal prediction with a limit for each class, so that coverage holds for the rare class,
    too: among molecules of either class like those given, the sets contain the true class of at
    least ``level`` (Vovk, Mach. Learn. 92 (2013) 349; Norinder et al., J. Chem. Inf. Model. 54
    (2014) 1596). A class with too few molecules is in every set.

    Parameters
    ----------
    probabilities : Probabilities
        Of molecules that were not trained on.
    values : ndarray, shape (molecules, targets)
        0 or 1; NaN is missing.
    level : float

    Returns
    -------
    ndarray, shape (targets, 2)
    """
    by_class = probabilities.of_classes()
    return np.array(
        [
            [_limit(by_class[values[:, t] == c, t, c], level) for c in range(CLASSES)]
            for t in range(values.shape[1])
        ]
    ).reshape(-1, CLASSES)


def _limit(probability: Values, level: float) -> float:
    rank = math.floor((len(probability) + 1) * (1 - level) + 1e-9)
    return float(np.sort(probability)[rank - 1]) if rank else 0.0


def prediction_sets(probabilities: Probabilities, least: Values) -> NDArray[np.bool_]:
    """Return which classes are in each molecule's set, shape (molecules, targets, 2)."""
    return np.asarray(probabilities.of_classes() >= least)


def set_coverage(sets: NDArray[np.bool_], values: Values) -> Values:
    """Return the share of known classes in the sets, by true class, shape (targets, 2).

    NaN where a class has no molecule.
    """
    inside = np.full((values.shape[1], CLASSES), np.nan)
    for target in range(values.shape[1]):
        for c in range(CLASSES):
            covered = sets[values[:, target] == c, target, c]
            if len(covered):
                inside[target, c] = covered.mean()
    return inside
