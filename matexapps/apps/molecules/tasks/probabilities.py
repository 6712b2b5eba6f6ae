"""From an ensemble's outputs to probabilities, and to sets of classes that keep their promise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matexapps.apps.molecules.tasks.estimates import LEVEL, Values

CLASSES = 2


@dataclass(frozen=True)
class Probabilities:
    """What an ensemble says of molecules: how probable the second class is.

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
        """Make them of outputs, shape (molecules, members, targets, 1), relative to log-odds."""
        logits = outputs[..., 0].astype(np.float64) + log_odds
        members = np.exp(-np.logaddexp(0.0, -logits))
        return cls(mean=members.mean(1), disagreement=members.std(1))

    def of_classes(self) -> Values:
        """Return the probability of either class, shape (molecules, targets, 2)."""
        return np.stack([1 - self.mean, self.mean], 2)


def least_probabilities(
    probabilities: Probabilities, values: Values, level: float = LEVEL
) -> Values:
    """Return how probable a class must be to stand in a molecule's prediction set.

    Conformal prediction with one limit for each class, so that the promise holds for the rare
    class too: of molecules like those given, the set holds the true class of at least ``level`` of
    either class (Vovk, Mach. Learn. 92 (2013) 349; Norinder et al., J. Chem. Inf. Model. 54 (2014)
    1596). A class with too few molecules stands in every set.

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
    either = probabilities.of_classes()
    return np.array(
        [
            [_limit(either[values[:, t] == one, t, one], level) for one in range(CLASSES)]
            for t in range(values.shape[1])
        ]
    ).reshape(-1, CLASSES)


def _limit(probability: Values, level: float) -> float:
    place = math.floor((len(probability) + 1) * (1 - level) + 1e-9)
    return float(np.sort(probability)[place - 1]) if place else 0.0


def prediction_sets(probabilities: Probabilities, least: Values) -> NDArray[np.bool_]:
    """Return which classes stand in each molecule's set, shape (molecules, targets, 2)."""
    return np.asarray(probabilities.of_classes() >= least)


def set_coverage(sets: NDArray[np.bool_], values: Values) -> Values:
    """Return the share of known classes inside the sets, shape (targets, 2), by true class.

    NaN where a class has no molecule.
    """
    inside = np.full((values.shape[1], CLASSES), np.nan)
    for target in range(values.shape[1]):
        for one in range(CLASSES):
            held = sets[values[:, target] == one, target, one]
            if len(held):
                inside[target, one] = held.mean()
    return inside
