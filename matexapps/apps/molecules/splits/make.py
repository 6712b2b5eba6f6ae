"""The split that settings ask for.

``scaffold`` and ``cluster`` keep similar molecules together, so that the test molecules are new
chemistry; ``random`` lets relatives of the training molecules into the test part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from matexapps.apps.molecules.data.components import split_structures
from matexapps.apps.molecules.featurizers.rows import structure_indices
from matexapps.apps.molecules.prepare import Prepared
from matexapps.apps.molecules.settings import ExperimentSettings
from matexapps.apps.molecules.splits.split import (
    Split,
    column_split,
    group_split,
    random_split,
    time_split,
)
from matexapps.apps.molecules.splits.structures import butina, scaffold
from matexapps.apps.molecules.training import EPOCHS
from matexapps.comm.communicator import Communicator


def make_split(
    kind: str, settings: ExperimentSettings, prepared: Prepared, comm: Communicator
) -> Split:
    """Make a split on rank 0, for all ranks. Collective.

    Where a row has several structures, scaffolds and clusters are those of the first.
    """
    return comm.on_root(lambda: _make(kind, settings, prepared))


def _make(kind: str, settings: ExperimentSettings, prepared: Prepared) -> Split:
    molecules, shares = prepared.molecules, (settings.validation, settings.test)
    if kind == "scaffold":
        scaffolds = [scaffold(split_structures(row)[0]) for row in molecules.smiles]
        return group_split(scaffolds, *shares, settings.seed)
    if kind == "cluster":
        structures = structure_indices(prepared.features, len(molecules))[:, 0]
        first, inverse = np.unique(structures, return_inverse=True)
        clusters = butina(prepared.features["fingerprint"][first])[inverse]
        return group_split(clusters.tolist(), *shares, settings.seed)
    if kind == "random":
        return random_split(len(molecules), *shares, settings.seed)
    assert molecules.part_keys is not None
    if kind == "time":
        return time_split(molecules.part_keys, *shares)
    return column_split(molecules.part_keys)


def learning_curve_splits(
    settings: ExperimentSettings, split: Split
) -> Iterator[tuple[ExperimentSettings, Split]]:
    """Yield settings and split of each training of the learning curve, the smallest first.

    There are ``settings.learning_curve`` of them. The largest uses half of the training molecules,
    and each of the others half of the molecules of the next. All have the same validation and test
    molecules, and take equally many steps: with half of the molecules there are twice as many
    epochs, so that a small set is not trained for a shorter time.
    """
    order = np.random.default_rng(settings.seed).permutation(split.train)
    for halvings in range(settings.learning_curve, 0, -1):
        share = 2**halvings
        drawn = np.sort(order[: max(1, len(order) // share)])
        yield (
            replace(settings, epochs=(settings.epochs or EPOCHS) * share),
            replace(split, train=drawn),
        )
