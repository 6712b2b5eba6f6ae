"""Standardize: set from the training rows, kept in checkpoints, no rule left to chance."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.preprocessing import StandardScaler
from torch import nn

import matexapps as mx
from matexapps.data.statistics import Statistics
from matexapps.errors import TrainingError


@pytest.fixture
def data():
    rng = np.random.default_rng(2)
    features = rng.normal(size=(400, 3)) * [1, 50, 0.01] + [0, 1000, -5]
    return mx.DataSet.from_arrays(features, features[:, 0] > 0)


def fitted(data, layer, folder=None):
    model = nn.Sequential(layer, nn.Linear(3, 1))
    callbacks = [] if folder is None else [mx.Checkpointing(folder)]
    mx.Trainer(model, callbacks=callbacks).fit(data, epochs=1)
    return model


def test_it_does_what_scikit_learns_scaler_does(data):
    layer = fitted(data, mx.Standardize(3))[0]
    scaler = StandardScaler().fit(data.train.features.astype(np.float64))
    expected = scaler.transform(data.test.features)
    np.testing.assert_allclose(layer(torch.from_numpy(data.test.features)), expected, atol=1e-4)


def test_the_numbers_lie_in_the_checkpoint(data, tmp_path):
    model = fitted(data, mx.Standardize(3), tmp_path)
    other = nn.Sequential(mx.Standardize(3), nn.Linear(3, 1))
    mx.Trainer(other).fit(data, epochs=1, resume=tmp_path)
    assert torch.equal(other[0].mean, model[0].mean)
    assert bool(other[0].known)


def test_a_layer_that_knows_its_numbers_keeps_them(data):
    layer = mx.Standardize(3)
    fitted(data, layer)
    before = layer.mean.clone()
    moved = mx.DataSet.from_arrays(data.train.features + 7, data.train.label)
    fitted(moved, layer)
    assert torch.equal(layer.mean, before)


def test_missing_values_need_a_rule():
    features = np.array([[1, np.nan, 3], [2, 5, 3], [3, 7, 3], [4, 6, 3]] * 5)
    data = mx.DataSet.from_arrays(features, np.arange(20) % 2, missing=np.nan)
    with pytest.raises(TrainingError, match=r"'column_1' has \d+ missing training values"):
        fitted(data, mx.Standardize(3))
    layer = fitted(data, mx.Standardize(3, missing="mean"))[0]
    out = layer(torch.tensor([[2.5, np.nan, 3.0]]))
    assert out[0, 1] == 0
    assert out[0, 2] == 0  # the column never varies


def test_arrays_are_standardized_value_by_value():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(60, 2, 4, 4)) * 3 + 10
    data = mx.DataSet.from_arrays(images, np.arange(60) % 2)
    layer = mx.Standardize((2, 4, 4))
    mx.Trainer(nn.Sequential(layer, nn.Flatten(), nn.Linear(32, 1))).fit(data, epochs=1)
    standard = layer(torch.from_numpy(data.train.features))
    assert torch.allclose(standard.mean(dim=0), torch.zeros(2, 4, 4), atol=1e-5)


def test_what_does_not_fit_says_so(data):
    with pytest.raises(TrainingError, match=r"Standardize\(\(4,\)\) does not fit samples of shape"):
        mx.Trainer(nn.Sequential(mx.Standardize(4), nn.Linear(4, 1))).fit(data, epochs=1)
    with pytest.raises(TrainingError, match="missing='zero' is not known"):
        mx.Standardize(3, missing="zero")


@pytest.mark.parametrize("pieces", [1, 2, 7, 40])
def test_statistics_do_not_depend_on_the_pieces(pieces):
    rng = np.random.default_rng(1)
    values = (rng.normal(size=(203, 4)) * 1e-3 + 1e4).astype(np.float32)
    values[rng.random(values.shape) < 0.1] = np.nan
    merged = Statistics.none(list("abcd"), (4,))
    for piece in np.array_split(values, pieces):
        merged = merged.merge(Statistics.of(piece, list("abcd")))
    exact = values.astype(np.float64)
    np.testing.assert_allclose(merged.mean, np.nanmean(exact, axis=0), rtol=1e-13)
    np.testing.assert_allclose(merged.std, np.nanstd(exact, axis=0), rtol=1e-9)
    np.testing.assert_array_equal(merged.minimum, np.nanmin(exact, axis=0))
    np.testing.assert_array_equal(merged.missing, np.isnan(exact).sum(axis=0))
    assert list(merged.to_pandas().index) == list("abcd")
