"""Simple models to stand beside every network: a random forest, and the mean."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestRegressor

from matexapps.apps.molecules.featurisers import Arrays
from matexapps.apps.molecules.uncertainty import Values

FEATURES = ("fingerprint", "descriptors")
"""What the forest reads."""

_TREES = 300
_COLUMNS_OF_A_SPLIT = 1 / 3


def fit_baselines(
    features: Arrays,
    values: Values,
    train: NDArray[np.int64],
    judged: NDArray[np.int64],
    seed: int,
) -> dict[str, Values]:
    """Fit the baselines to the training molecules and predict others.

    Parameters
    ----------
    features : dict of str to ndarray
        :data:`FEATURES` of all molecules.
    values : ndarray of float64, shape (molecules, targets)
        NaN is missing.
    train, judged : ndarray of int64
        Numbers of molecules.
    seed : int

    Returns
    -------
    dict of str to ndarray of float64, shape (judged molecules, targets)
        By name: ``"random_forest"`` on Morgan counts with descriptors, ``"mean"``.
    """
    table = _table(features, train)
    forest = np.empty((len(judged), values.shape[1]))
    mean = np.empty_like(forest)
    for target, column in enumerate(values.T):
        known = train[np.isfinite(column[train])]
        model = RandomForestRegressor(
            n_estimators=_TREES,
            max_features=_COLUMNS_OF_A_SPLIT,
            random_state=seed,
            n_jobs=len(os.sched_getaffinity(0)),
        )
        model.fit(table[known], column[known])
        forest[:, target] = model.predict(table[judged])
        mean[:, target] = column[known].mean()
    return {"random_forest": forest, "mean": mean}


def _table(features: Arrays, train: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return one row a molecule; columns that do not vary in training are left out."""
    descriptors = features["descriptors"]
    filled = np.where(np.isnan(descriptors), _medians(descriptors[train]), descriptors)
    table = np.concatenate([features["fingerprint"].astype(np.float32), filled], 1)
    return table[:, np.ptp(table[train], 0) > 0]


def _medians(columns: NDArray[np.float32]) -> NDArray[np.float32]:
    known = ~np.isnan(columns).all(0)
    medians = np.zeros(columns.shape[1], np.float32)
    medians[known] = np.nanmedian(columns[:, known], 0)
    return medians
