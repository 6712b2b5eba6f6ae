"""Metrics against scikit-learn, and merged over parts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, roc_auc_score

from matexapps.errors import TrainingError
from matexapps.train.metrics import Accuracy, RocAuc, as_metric


def rows(seed: int, n: int, ties: bool):
    rng = np.random.default_rng(seed)
    label = (rng.random(n) < 0.4).astype(np.float32)
    label[:2] = 0, 1
    logit = rng.normal(size=n) + label
    if ties:
        logit = np.round(logit)
    return torch.tensor(logit), torch.tensor(label), torch.tensor(rng.random(n) + 0.1)


@settings(deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(4, 400),
    ties=st.booleans(),
    bins=st.sampled_from([8, 64, 16384]),
)
def test_binned_auc_is_within_its_stated_error_of_the_exact_one(seed, n, ties, bins):
    logit, label, weight = rows(seed, n, ties)
    for w in (None, weight):
        metric = RocAuc(bins)
        metric.update(logit[:, None], label, w)
        values = metric.compute()
        exact = roc_auc_score(label, logit, sample_weight=w)
        assert abs(values["roc_auc"] - exact) <= values["roc_auc_error"] + 1e-9


def test_fine_bins_make_the_error_small():
    logit, label, _ = rows(0, 20_000, ties=False)
    metric = RocAuc()
    metric.update(logit, label, None)
    assert metric.compute()["roc_auc_error"] < 1e-4


@pytest.mark.parametrize("make", [Accuracy, RocAuc])
def test_parts_add_up_to_the_whole(make):
    logit, label, weight = rows(1, 1003, ties=False)
    at_once, parts = make(), [make() for _ in range(3)]
    at_once.update(logit, label, weight)
    for k, part in enumerate(parts):
        part.update(logit[k::3], label[k::3], weight[k::3])
    merged = make()
    merged.sums += sum(part.sums for part in parts)
    assert merged.compute() == pytest.approx(at_once.compute(), rel=1e-12)


def test_weighted_accuracy_agrees_with_scikit_learn():
    logit, label, weight = rows(2, 500, ties=False)
    metric = Accuracy()
    metric.update(logit, label, weight)
    expected = accuracy_score(label, logit > 0, sample_weight=weight)
    assert metric.compute()["accuracy"] == pytest.approx(expected)


def test_accuracy_of_several_classes_takes_the_largest_score():
    scores = torch.tensor([[0.1, 0.9, 0.0], [0.5, 0.2, 0.3], [0.1, 0.2, 0.7]])
    metric = Accuracy()
    metric.update(scores, torch.tensor([1, 0, 1]), None)
    assert metric.compute()["accuracy"] == pytest.approx(2 / 3)


def test_one_class_only_has_no_auc():
    metric = RocAuc()
    metric.update(torch.randn(5), torch.ones(5), None)
    assert np.isnan(metric.compute()["roc_auc"])


def test_a_name_nearly_right_is_suggested():
    with pytest.raises(TrainingError, match=r"'roc_acu'; did you mean 'roc_auc'\?"):
        as_metric("roc_acu")
