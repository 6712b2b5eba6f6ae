"""Simple models beside every network: a random forest, and a constant."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from matexapps.apps.molecules.featurizers import Arrays
from matexapps.apps.molecules.featurizers.rows import row_features
from matexapps.apps.molecules.tasks.estimates import Values
from matexapps.apps.molecules.tasks.task import MoleculeTask
from matexapps.experiment.domain import Baseline, BaselinePredictions
from matexapps.experiment.splitting import Split

FEATURES = ("fingerprint", "descriptors")
"""Inputs of the forest."""

_FORESTS, _TREES = 12, 25
_FOREST = {
    "regression": partial(RandomForestRegressor, max_features=1 / 3),
    "classification": RandomForestClassifier,
}
_CONSTANT = {"regression": "mean", "classification": "prevalence"}


def make_baselines(
    task: MoleculeTask, features: Arrays, values: Values, split: Split, seed: int
) -> dict[str, Baseline]:
    """Return the baselines by name, to be fitted to the training molecules.

    ``"random_forest"`` has 300 trees on Morgan counts with descriptors; ``"mean"``, called
    ``"prevalence"`` of classes, is the mean of the training values. Predictions have shape
    (molecules, targets).

    Parameters
    ----------
    task : MoleculeTask
    features : dict of str to ndarray
        :data:`FEATURES` of all molecules.
    values : ndarray of float64, shape (molecules, targets)
        NaN is missing.
    split : Split
    seed : int
        Of the trees, which are made in twelve parts whatever the number of ranks.
    """
    targets = values.shape[1]
    table = _table(features, split.train)

    def fit_forest(target: int, part: int) -> BaselinePredictions:
        column = values[:, target]
        known = split.train[np.isfinite(column[split.train])]
        forest = _FOREST[task.kind](
            n_estimators=_TREES,
            random_state=_FORESTS * seed + part,
            n_jobs=torch.get_num_threads(),
        )
        forest.fit(table[known], column[known])
        return BaselinePredictions(
            task.single().of_estimator(forest, table[split.validation]),
            task.single().of_estimator(forest, table[split.test]),
        )

    def mean_of_parts(predicted: Sequence[Values]) -> Values:
        return np.array(predicted).reshape(targets, _FORESTS, -1).mean(1).T.copy()

    def constant() -> BaselinePredictions:
        mean = np.nanmean(values[split.train], 0)
        parts = split.validation, split.test
        return BaselinePredictions(*(np.tile(mean, (len(part), 1)) for part in parts))

    jobs = [
        partial(fit_forest, target, part) for target in range(targets) for part in range(_FORESTS)
    ]
    return {
        "random_forest": Baseline(jobs, mean_of_parts),
        _CONSTANT[task.kind]: Baseline([constant]),
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
