"""Logistic regression and boosted trees beside the networks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from matexapps.apps.higgs import baselines
from matexapps.apps.higgs.baselines import (
    gradient_boosting,
    has_lightgbm,
    logistic_regression,
    make_baselines,
    physics_rows,
)
from matexapps.data.rows import Rows
from matexapps.experiment.domain import BaselinePredictions


@pytest.fixture(params=["lightgbm", "hist_gradient_boosting"])
def booster(request, monkeypatch) -> Iterator[str]:
    """Each library in turn, with few trees."""
    if request.param == "lightgbm" and not has_lightgbm():
        pytest.skip("LightGBM is not installed")
    monkeypatch.setattr(baselines, "has_lightgbm", lambda: request.param == "lightgbm")
    monkeypatch.setattr(baselines, "_PATIENCE", 20)
    monkeypatch.setattr(baselines._fit_histogram, "__defaults__", (25,))
    # On a busy machine threads that wait for each other after every few rows take minutes.
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    with threadpool_limits(1, "openmp"):
        yield request.param


def fit_all(*parts: Rows) -> dict[str, BaselinePredictions]:
    baselines = make_baselines(*parts, seed=0)
    return {
        name: baseline.combined([job() for job in baseline.jobs])
        for name, baseline in baselines.items()
    }


def test_each_baseline_scores_the_test_rows_in_order(booster, separable):
    _, validation, test = separable
    predictions = fit_all(*separable)
    fitted = {name: each.test for name, each in predictions.items()}
    assert all(each.validation.shape == (len(validation),) for each in predictions.values())
    assert list(fitted) == ["logistic_regression", booster, f"{booster}_physics_inputs"]
    for scores in fitted.values():
        assert scores.shape == (len(test),)
        assert scores.dtype == np.float64
        assert ((scores > 0) & (scores < 1)).all()
    assert roc_auc_score(test.label, fitted[booster]) > 0.85
    assert roc_auc_score(test.label, fitted[f"{booster}_physics_inputs"]) > 0.85


def test_the_same_seed_gives_the_same_scores(booster, separable):
    train, validation, test = separable
    first, again = (gradient_boosting(train, validation, seed=3)(test) for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_missing_values_and_other_columns_are_taken(booster):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(900, 5)).astype(np.float32)
    label = (features[:, 0] > 0).astype(np.float32)
    features[::4, 1] = np.nan
    rows = Rows.from_arrays(features, label, missing=np.nan)
    parts = [rows.take(slice(0, 500)), rows.take(slice(500, 700)), rows.take(slice(700, 900))]
    fitted = {name: each.test for name, each in fit_all(*parts).items()}
    assert list(fitted) == ["logistic_regression", booster]
    assert min(roc_auc_score(parts[2].label, scores) for scores in fitted.values()) > 0.9


def test_rows_of_weight_zero_do_not_count():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(400, 3)).astype(np.float32)
    label = (features[:, 0] > 0).astype(np.float32)
    weight = np.ones(400)
    label[200:], weight[200:] = 1 - label[200:], 0.0
    rows = Rows.from_arrays(features, label, weight)
    half = replace(rows.take(slice(0, 200)), weight=np.ones(200))
    scores = logistic_regression(rows)(half)
    assert roc_auc_score(half.label, scores) > 0.99
    unweighted = logistic_regression(replace(rows, weight=None))(half)
    assert roc_auc_score(half.label, unweighted) < 0.9


def test_refitting_learns_from_the_validation_rows_too(booster):
    rng = np.random.default_rng(0)

    def rows(count: int, low: float) -> Rows:
        features = rng.uniform(low, 2, size=(count, 1)).astype(np.float32)
        return Rows.from_arrays(features, (features[:, 0] % 0.5 > 0.25).astype(np.float32))

    train, validation, test = rows(2000, 0.0), rows(900, 0.0), rows(900, 1.0)
    train = train.take(np.flatnonzero(train.features[:, 0] < 1))
    without = gradient_boosting(train, validation, seed=0)(test)
    refitted = gradient_boosting(train, validation, seed=0, refit=True)(test)
    gain = roc_auc_score(test.label, refitted) - roc_auc_score(test.label, without)
    assert gain > 0.15


def test_physics_rows_keep_labels_weights_and_numbers(separable):
    rows = replace(separable[2], weight=np.arange(400.0))
    (computed,) = physics_rows(rows)
    assert computed.features.shape == (400, 83)
    assert len(computed.columns) == 83
    np.testing.assert_array_equal(computed.label, rows.label)
    np.testing.assert_array_equal(computed.weight, rows.weight)
    np.testing.assert_array_equal(computed.ids, rows.ids)
