"""Simple models beside every network: a random forest, and a constant."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from matexapps.apps.molecules.featurizers import Arrays
from matexapps.apps.molecules.featurizers.rows import row_features
from matexapps.apps.molecules.tasks.estimates import Values
from matexapps.apps.molecules.tasks.task import Task
from matexapps.comm.communicator import Communicator
from matexapps.data.partition import share

FEATURES = ("fingerprint", "descriptors")
"""Inputs of the forest."""

_FORESTS, _TREES = 12, 25


def fit_baselines(
    task: Task[Any],
    features: Arrays,
    values: Values,
    train: NDArray[np.int64],
    test: NDArray[np.int64],
    seed: int,
    comm: Communicator,
) -> dict[str, Values]:
    """Fit the baselines to the training molecules and predict the test molecules. Collective.

    Parameters
    ----------
    task : Task
    features : dict of str to ndarray
        :data:`FEATURES` of all molecules.
    values : ndarray of float64, shape (molecules, targets)
        NaN is missing.
    train, test : ndarray of int64
        Indices of molecules.
    seed : int
    comm : Communicator
        Its ranks share the trees, whose seeds do not depend on the number of ranks.

    Returns
    -------
    dict of str to ndarray of float64, shape (test molecules, targets)
        By name, on every rank: ``"random_forest"``, 300 trees on Morgan counts with descriptors,
        and the task's constant, the mean of the training values.
    """
    table = _table(features, train)
    work = [(target, part) for target in range(values.shape[1]) for part in range(_FORESTS)]
    own = work[share(len(work), comm.rank, comm.world_size)]

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

    predictions = comm.on_all(lambda: [predict_with_forest(*forest) for forest in own])
    predicted = [column for rank in comm.all_gather_object(predictions) for column in rank]
    forests = np.array(predicted).reshape(values.shape[1], _FORESTS, len(test))
    mean = np.nanmean(values[train], 0)
    return {
        "random_forest": forests.mean(1).T.copy(),
        task.constant: np.tile(mean, (len(test), 1)),
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
