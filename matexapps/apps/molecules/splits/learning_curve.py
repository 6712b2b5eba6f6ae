"""How errors fall with the number of molecules that are learned from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from matexapps.apps.molecules.settings import ExperimentSettings
from matexapps.apps.molecules.splits.split import Split
from matexapps.apps.molecules.training import EPOCHS


def smaller_trainings(
    settings: ExperimentSettings, split: Split
) -> Iterator[tuple[ExperimentSettings, Split]]:
    """Yield settings and split of each smaller training, the smallest first.

    There are ``settings.learning_curve`` of them, and each learns half of the molecules of the
    next; the largest learns half of the training molecules. What one has learned, the next has
    learned too. All choose and judge by the same molecules, and take as many steps: with half of
    the molecules epochs are twice as many, so that a small set is not learned for less long.
    """
    order = np.random.default_rng(settings.seed).permutation(split.train)
    for halvings in range(settings.learning_curve, 0, -1):
        share = 2**halvings
        drawn = np.sort(order[: max(1, len(order) // share)])
        yield (
            replace(settings, epochs=(settings.epochs or EPOCHS) * share),
            replace(split, train=drawn),
        )
