"""Simple models to stand beside every network: logistic regression and boosted trees."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from matexapps.apps.higgs.kinematics import KinematicInputs
from matexapps.apps.higgs.schema import FEATURES
from matexapps.apps.higgs.units import column_units
from matexapps.data.rows import Rows

Scores = NDArray[np.float64]

_ROUNDS = 2000
_PATIENCE = 100
_LEARNING_RATE = 0.03
_LIGHTGBM_GRID: tuple[Mapping[str, Any], ...] = (
    {"num_leaves": 15, "min_child_samples": 40, "colsample_bytree": 0.4, "reg_lambda": 5.0},
    {"num_leaves": 31, "min_child_samples": 40, "colsample_bytree": 0.6, "reg_lambda": 1.0},
    {"num_leaves": 63, "min_child_samples": 100, "colsample_bytree": 0.4, "reg_lambda": 5.0},
)
_HISTOGRAM_GRID: tuple[Mapping[str, Any], ...] = (
    {"max_leaf_nodes": 15, "min_samples_leaf": 40, "l2_regularization": 5.0},
    {"max_leaf_nodes": 31, "min_samples_leaf": 40, "l2_regularization": 1.0},
    {"max_leaf_nodes": 63, "min_samples_leaf": 100, "l2_regularization": 5.0},
)


def fit_baselines(train: Rows, validation: Rows, test: Rows, seed: int) -> dict[str, Scores]:
    """Fit the baselines on the training rows and return their scores of the test rows.

    Number of trees and settings of boosting are chosen by the AUC on the validation rows. Boosting
    is LightGBM's where it is installed, otherwise scikit-learn's. For rows with the 28 columns of
    the HIGGS schema it is also fitted to the physics inputs that the present-day network computes.

    Parameters
    ----------
    train, validation, test : Rows
        Weights, where the rows have them, count in fitting and in the choice of settings.
    seed : int

    Returns
    -------
    dict of str to ndarray of float64, shape (test rows,)
        Probability of signal by name: ``"logistic_regression"``, ``"lightgbm"`` or
        ``"hist_gradient_boosting"``, and that name with ``"_physics_inputs"``.
    """
    scores = {"logistic_regression": logistic_regression(train, test)}
    name = "lightgbm" if has_lightgbm() else "hist_gradient_boosting"
    scores[name] = gradient_boosting(train, validation, test, seed)
    if train.features.shape[1] == len(FEATURES):
        train, validation, test = physics_rows(train, validation, test)
        scores[f"{name}_physics_inputs"] = gradient_boosting(train, validation, test, seed)
    return scores


def has_lightgbm() -> bool:
    """Whether LightGBM is installed."""
    return importlib.util.find_spec("lightgbm") is not None


def logistic_regression(train: Rows, test: Rows) -> Scores:
    """Return scores of the test rows by logistic regression on standardised columns."""
    model = make_pipeline(
        SimpleImputer(keep_empty_features=True),
        StandardScaler(),
        LogisticRegression(max_iter=1000),
    )
    model.fit(train.features, train.label, logisticregression__sample_weight=train.weight)
    return np.asarray(model.predict_proba(test.features)[:, 1], dtype=np.float64)


def gradient_boosting(train: Rows, validation: Rows, test: Rows, seed: int) -> Scores:
    """Return scores of the test rows by boosted trees, tuned on the validation rows."""
    fit = _fit_lightgbm if has_lightgbm() else _fit_histogram
    grid = _LIGHTGBM_GRID if has_lightgbm() else _HISTOGRAM_GRID
    candidates = [fit(train, validation, test, settings, seed) for settings in grid]
    return max(candidates, key=lambda candidate: candidate[0])[1]


def physics_rows(*parts: Rows) -> tuple[Rows, ...]:
    """Return the rows with the inputs of :class:`KinematicInputs` for features.

    The units are found from the first rows given.
    """
    inputs = KinematicInputs(column_units(parts[0].features))
    computed = (inputs(torch.from_numpy(rows.features)).numpy() for rows in parts)
    return tuple(
        Rows(
            features=np.ascontiguousarray(features),
            label=rows.label,
            weight=rows.weight,
            ids=rows.ids,
            columns=[f"input_{i}" for i in range(features.shape[1])],
        )
        for rows, features in zip(parts, computed, strict=True)
    )


def _fit_lightgbm(
    train: Rows, validation: Rows, test: Rows, settings: Mapping[str, Any], seed: int
) -> tuple[float, Scores]:
    import lightgbm

    model = lightgbm.LGBMClassifier(
        n_estimators=_ROUNDS,
        learning_rate=_LEARNING_RATE,
        subsample=0.7,
        subsample_freq=1,
        random_state=seed,
        n_jobs=len(os.sched_getaffinity(0)),
        deterministic=True,
        force_col_wise=True,
        verbose=-1,
        **settings,
    )
    model.fit(
        train.features,
        train.label,
        sample_weight=train.weight,
        eval_set=[(validation.features, validation.label)],
        eval_sample_weight=None if validation.weight is None else [validation.weight],
        eval_metric="auc",
        callbacks=[lightgbm.early_stopping(_PATIENCE, first_metric_only=True, verbose=False)],
    )
    scores = np.asarray(model.predict_proba(test.features))[:, 1]
    return float(model.best_score_["valid_0"]["auc"]), scores.astype(np.float64)


def _fit_histogram(
    train: Rows, validation: Rows, test: Rows, settings: Mapping[str, Any], seed: int
) -> tuple[float, Scores]:
    model = HistGradientBoostingClassifier(
        max_iter=300,
        learning_rate=2 * _LEARNING_RATE,
        early_stopping=False,
        random_state=seed,
        **settings,
    )
    model.fit(train.features, train.label, sample_weight=train.weight)
    area = [
        roc_auc_score(validation.label, scores[:, 1], sample_weight=validation.weight)
        for scores in model.staged_predict_proba(validation.features)
    ]
    best = int(np.argmax(area))
    for trees, scores in enumerate(model.staged_predict_proba(test.features)):
        if trees == best:
            return float(area[best]), scores[:, 1].astype(np.float64)
    raise AssertionError("staged predictions end before the best one")
