"""Simple models beside every network: a random forest, and a constant."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from matexapps.apps.molecules.featurizers import Arrays
from matexapps.apps.molecules.featurizers.rows import row_features
from matexapps.apps.molecules.tasks.estimates import Values
from matexapps.apps.molecules.tasks.task import MoleculeTask
from matexapps.experiment.domain import Baseline

FEATURES = ("fingerprint", "descriptors")
"""Inputs of the forest."""

_FORESTS, _TREES = 12, 25


def make_baselines(
    task: MoleculeTask,
    features: Arrays,
    values: Values,
    train: NDArray[np.int64],
    test: NDArray[np.int64],
    seed: int,
) -> dict[str, Baseline]:
    """Return the baselines by name, to be fitted to the training molecules.

    ``"random_forest"`` has 300 trees on Morgan counts with descriptors; the task's constant is the
    mean of the training values. Predictions have shape (test molecules, targets).

    Parameters
    ----------
    task : MoleculeTask
    features : dict of str to ndarray
        :data:`FEATURES` of all molecules.
    values : ndarray of float64, shape (molecules, targets)
        NaN is missing.
    train, test : ndarray of int64
        Indices of molecules.
    seed : int
        Of the trees, which are made in twelve parts whatever the number of ranks.
    """
    targets = values.shape[1]
    table = _table(features, train)

    def predict_with_forest(target: int, part: int) -> Values:
        column = values[:, target]
        known = train[np.isfinite(column[train])]
        forest = task.forest(
            n_estimators=_TREES,
            random_state=_FORESTS * seed + part,
            n_jobs=torch.get_num_threads(),
        )
        forest.fit(table[known], column[known])
        return task.predict_forest(forest, table[test])

    def mean_of_parts(predicted: Sequence[Values]) -> Values:
        return np.array(predicted).reshape(targets, _FORESTS, len(test)).mean(1).T.copy()

    jobs = [
        partial(predict_with_forest, target, part)
        for target in range(targets)
        for part in range(_FORESTS)
    ]
    return {
        "random_forest": Baseline(jobs, mean_of_parts),
        task.constant: Baseline([lambda: np.tile(np.nanmean(values[train], 0), (len(test), 1))]),
    }


def _table(features: Arrays, train: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return one row per molecule, without the columns that do not vary in training."""
    descriptors = row_features(features, "descriptors")
    filled = np.where(np.isnan(descriptors), _medians(descriptors[train]), descriptors)
    table = np.concatenate([row_features(features, "fingerprint").astype(np.float32), filled], 1)
    return table[:, np.ptp(table[train], 0) > 0]


def _medians(columns: NDArray[np.float32]) -> NDArray[np.float32]:
    known = ~np.isnan(columns).all(0)
    medians = np.zeros(columns.shape[1], np.float32)
    medians[known] = np.nanmedian(columns[:, known], 0)
    return medians
