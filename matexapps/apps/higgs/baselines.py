"""Simple models to stand beside every network: logistic regression and boosted trees."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
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
from matexapps.data.rows import Rows, concatenate
from matexapps.experiment.domain import Baseline, BaselinePredictions

Scores = NDArray[np.float64]

_ROUNDS = 2000
_PATIENCE = 100
_HISTOGRAM_ROUNDS = 300
_LEARNING_RATE = 0.03
_LIGHTGBM_GRID: tuple[Mapping[str, Any], ...] = (
    {"num_leaves": 15, "min_data_in_leaf": 40, "feature_fraction": 0.4, "lambda_l2": 5.0},
    {"num_leaves": 63, "min_data_in_leaf": 100, "feature_fraction": 0.4, "lambda_l2": 5.0},
    {"num_leaves": 127, "min_data_in_leaf": 200, "feature_fraction": 0.4, "lambda_l2": 5.0},
)
_HISTOGRAM_GRID: tuple[Mapping[str, Any], ...] = (
    {"max_leaf_nodes": 15, "min_samples_leaf": 40, "l2_regularization": 5.0},
    {"max_leaf_nodes": 63, "min_samples_leaf": 100, "l2_regularization": 5.0},
)


@dataclass(frozen=True)
class _Fit:
    """Boosted trees, how many of them to use, and how well these do on the validation rows."""

    model: Any
    trees: int
    validation_auc: float

    def scores(self, rows: Rows) -> Scores:
        if isinstance(self.model, HistGradientBoostingClassifier):
            staged = self.model.staged_predict_proba(rows.features)
            probability = next(islice(staged, self.trees - 1, None))[:, 1]
        else:
            probability = self.model.predict(rows.features, num_iteration=self.trees)
        return np.asarray(probability, dtype=np.float64)


def make_baselines(train: Rows, validation: Rows, test: Rows, seed: int) -> dict[str, Baseline]:
    """Return the baselines by name, to be fitted to the training rows.

    They are ``"logistic_regression"``, ``"lightgbm"`` or ``"hist_gradient_boosting"``, and that
    name with ``"_physics_inputs"``. Each predicts the probability of signal, float64, shape
    (rows,).

    Number of trees and settings of boosting are chosen by the AUC on the validation rows. Boosting
    is LightGBM's where it is installed, otherwise scikit-learn's. For rows with the 28 columns of
    the HIGGS schema it is also fitted to the physics inputs that the present-day network computes.

    Parameters
    ----------
    train, validation, test : Rows
        Weights, where the rows have them, count in fitting and in the choice of settings.
    seed : int
    """

    def linear() -> BaselinePredictions:
        scores = logistic_regression(train)
        return BaselinePredictions(scores(validation), scores(test))

    def boosted(physics: bool) -> BaselinePredictions:
        parts = train, validation, test
        learned, chosen, judged = physics_rows(*parts) if physics else parts
        scores = gradient_boosting(learned, chosen, seed)
        return BaselinePredictions(scores(chosen), scores(judged))

    name = "lightgbm" if has_lightgbm() else "hist_gradient_boosting"
    baselines = {
        "logistic_regression": Baseline([linear]),
        name: Baseline([partial(boosted, False)]),
    }
    if train.features.shape[1] == len(FEATURES):
        baselines[f"{name}_physics_inputs"] = Baseline([partial(boosted, True)])
    return baselines


def has_lightgbm() -> bool:
    """Whether LightGBM is installed."""
    return importlib.util.find_spec("lightgbm") is not None


def logistic_regression(train: Rows) -> Callable[[Rows], Scores]:
    """Return what scores rows by logistic regression on standardized columns."""
    model = make_pipeline(
        SimpleImputer(keep_empty_features=True),
        StandardScaler(),
        LogisticRegression(max_iter=1000),
    )
    model.fit(train.features, train.label, logisticregression__sample_weight=train.weight)
    return lambda rows: np.asarray(model.predict_proba(rows.features)[:, 1], dtype=np.float64)


def gradient_boosting(
    train: Rows, validation: Rows, seed: int, *, refit: bool = False
) -> Callable[[Rows], Scores]:
    """Return what scores rows by boosted trees, tuned on the validation rows.

    Parameters
    ----------
    train, validation : Rows
    seed : int
    refit : bool
        Fit the chosen settings again, to training and validation rows together, which helps where
        rows are few. Both parts must have weights, or neither.
    """
    fit = _fit_lightgbm if has_lightgbm() else _fit_histogram
    grid = _LIGHTGBM_GRID if has_lightgbm() else _HISTOGRAM_GRID
    fits = [fit(train, validation, settings, seed) for settings in grid]
    best = max(range(len(grid)), key=lambda i: fits[i].validation_auc)
    if refit:
        rows = concatenate([train, validation])
        return fit(rows, None, grid[best], seed, fits[best].trees).scores
    return fits[best].scores


def physics_rows(*parts: Rows) -> tuple[Rows, ...]:
    """Return the rows with the inputs of :class:`KinematicInputs` for features.

    The units are those of the first rows given.
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
    train: Rows,
    validation: Rows | None,
    settings: Mapping[str, Any],
    seed: int,
    trees: int = _ROUNDS,
) -> _Fit:
    import lightgbm

    parameters = {
        "objective": "binary",
        "metric": "auc",
        "learning_rate": _LEARNING_RATE,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "seed": seed,
        "num_threads": len(os.sched_getaffinity(0)),
        "deterministic": True,
        "force_col_wise": True,
        "verbosity": -1,
        **settings,
    }
    table = lightgbm.Dataset(train.features, train.label, weight=train.weight)
    if validation is None:
        return _Fit(lightgbm.train(parameters, table, trees), trees, float("nan"))
    judge = lightgbm.Dataset(
        validation.features, validation.label, weight=validation.weight, reference=table
    )
    stop = lightgbm.early_stopping(_PATIENCE, verbose=False)
    model = lightgbm.train(parameters, table, trees, valid_sets=[judge], callbacks=[stop])
    return _Fit(model, int(model.best_iteration), float(model.best_score["valid_0"]["auc"]))


def _fit_histogram(
    train: Rows,
    validation: Rows | None,
    settings: Mapping[str, Any],
    seed: int,
    trees: int = _HISTOGRAM_ROUNDS,
) -> _Fit:
    model = HistGradientBoostingClassifier(
        max_iter=trees,
        learning_rate=2 * _LEARNING_RATE,
        early_stopping=False,
        random_state=seed,
        **settings,
    )
    model.fit(train.features, train.label, sample_weight=train.weight)
    if validation is None:
        return _Fit(model, trees, float("nan"))
    areas = [
        roc_auc_score(validation.label, scores[:, 1], sample_weight=validation.weight)
        for scores in model.staged_predict_proba(validation.features)
    ]
    best = int(np.argmax(areas))
    return _Fit(model, best + 1, float(areas[best]))
