"""Figures of merit with their bootstrap intervals, against scikit-learn and theory."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import r2_score, roc_auc_score

from matexapps.experiment.figures import reliability
from matexapps.experiment.statistics.figures_of_merit import (
    figure,
    figure_value,
    gain,
    improvement,
    r_squared,
    resampled_figures,
)


@pytest.fixture
def scored() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, scores and weights; scores of class 1 lie one standard deviation higher."""
    rng = np.random.default_rng(3)
    label = (rng.random(4000) < 0.4).astype(np.float32)
    return label, rng.normal(size=4000) + label, rng.uniform(0.2, 2.0, 4000)


def test_bootstrap_value_is_scikit_learns_auc_with_weights_and_ties(scored):
    label, score, weight = scored
    tied = np.round(score)
    estimate = figure("roc_auc", label, tied, weight)
    assert estimate.value == pytest.approx(roc_auc_score(label, tied, sample_weight=weight))
    assert estimate.low < estimate.value < estimate.high
    assert figure_value("roc_auc", label, tied, weight) == pytest.approx(estimate.value)


def test_bootstrap_interval_has_the_width_that_hanley_and_mcneil_give(scored):
    label, score, _ = scored
    estimate = figure("roc_auc", label, score)
    auc, signal = estimate.value, label.sum()
    background = len(label) - signal
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = (
        auc * (1 - auc) + (signal - 1) * (q1 - auc**2) + (background - 1) * (q2 - auc**2)
    ) / (signal * background)
    assert (estimate.high - estimate.low) / 2 == pytest.approx(1.96 * math.sqrt(variance), rel=0.15)


def test_paired_differences_are_sharper_than_the_aucs_themselves(scored):
    label, score, _ = scored
    other = score + np.random.default_rng(0).normal(scale=0.1, size=len(score))
    difference = gain("roc_auc", label, score, other)
    alone = figure("roc_auc", label, score)
    assert difference.value == pytest.approx(
        roc_auc_score(label, score) - roc_auc_score(label, other)
    )
    assert difference.high - difference.low < (alone.high - alone.low) / 2
    same = gain("roc_auc", label, score, score)
    assert (same.low, same.value, same.high) == (0.0, 0.0, 0.0)


def test_several_trainings_count_by_their_mean(scored):
    label, score, _ = scored
    other = score + np.random.default_rng(0).normal(size=len(score))
    both = figure("roc_auc", label, np.stack([score, other]))
    mean = (roc_auc_score(label, score) + roc_auc_score(label, other)) / 2
    assert both.value == pytest.approx(mean)


def test_explained_variance_is_scikit_learns_over_known_rows_and_trainings(scored):
    _, value, weight = scored
    rng = np.random.default_rng(1)
    predicted = value + rng.normal(size=(2, len(value)))
    expected = np.mean([r2_score(value, row, sample_weight=weight) for row in predicted])
    assert r_squared(value, predicted, weight) == pytest.approx(expected)
    gaps = np.append(value, np.nan)
    filled = np.append(predicted, [[0.0], [0.0]], axis=1)
    assert r_squared(gaps, filled) == pytest.approx(r_squared(value, predicted))
    assert np.isnan(r_squared([5.0, np.nan], [4.0, 1.0]))


def test_models_that_are_judged_together_get_the_figures_that_each_gets_alone(scored):
    label, score, weight = scored
    models = {"network": np.stack([score, 2 * score]), "other": np.round(score)}
    names = ("roc_auc", "average_precision")
    together = resampled_figures(names, label, models, weight)
    for model, predicted in models.items():
        for name in names:
            assert together[model][name].estimate == figure(name, label, predicted, weight)
    better = improvement("roc_auc", *(together[model]["roc_auc"] for model in models))
    assert better.estimate == gain("roc_auc", label, *models.values(), weight)


def test_weights_count_in_pictures_too():
    predicted, observed, count = reliability([0, 1, 1], [0.3, 0.3, 0.9], [3.0, 1.0, 0.0])
    assert (predicted.tolist(), observed.tolist(), count.tolist()) == ([0.3], [0.25], [2])
