"""The networks: size, seeds, rows that do not mix, ensembles equal to their members."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch.nn import functional

from matexapps import DataSet, Trainer
from matexapps.apps.higgs.batch_ensemble import (
    BatchEnsemble,
    BatchEnsembleLinear,
    PiecewiseLinearEncoding,
    member_loss,
)
from matexapps.apps.higgs.model import Standardize, build_network, default_training
from matexapps.apps.higgs.settings import NETWORKS
from matexapps.errors import TrainingError


def test_the_network_of_2014_has_its_published_size(events):
    network = build_network("dnn2014", events)
    assert sum(p.numel() for p in network.parameters()) == 370_201


def test_an_unknown_name_is_answered_with_the_nearest(events):
    with pytest.raises(TrainingError, match="did you mean 'present'"):
        build_network("presnt", events)
    with pytest.raises(TrainingError, match="did you mean 'dnn2014'"):
        default_training("dnn_2014")


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_come_from_the_seed_alone(name, events):
    state = torch.random.get_rng_state()
    first, same, other = (build_network(name, events, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    pairs = list(zip(first.parameters(), same.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in pairs)
    assert not all(
        torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True)
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_a_row_is_judged_alike_alone_and_among_others(name, events):
    network = build_network(name, events).eval()
    rows = torch.from_numpy(events)
    with torch.no_grad():
        together, alone = network(rows), torch.cat([network(row[None]) for row in rows[:20]])
    assert together.shape == (len(events),)
    torch.testing.assert_close(together[:20], alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_scaling_travels_with_the_weights(name, events):
    trained = build_network(name, events, seed=1).eval()
    restored = build_network(name, events[:50] * 0.7, seed=2).eval()
    restored.load_state_dict(trained.state_dict())
    rows = torch.from_numpy(events)
    with torch.no_grad():
        torch.testing.assert_close(restored(rows), trained(rows))


@pytest.mark.parametrize("name", NETWORKS)
def test_other_columns_and_missing_values_are_taken(name):
    features = np.random.default_rng(0).normal(size=(100, 30)).astype(np.float32)
    features[::3, 4], features[:, 7], features[:, 8] = np.nan, np.nan, 2.5
    network = build_network(name, features).eval()
    with torch.no_grad():
        assert torch.isfinite(network(torch.from_numpy(features))).all()


def test_standardize_gives_mean_zero_and_deviation_one_and_draws_outliers_in():
    values = torch.from_numpy(np.random.default_rng(0).normal(5, 3, size=(5000, 4))).float()
    layer = Standardize(4)
    layer.fit(values)
    standard = layer(values)
    torch.testing.assert_close(standard.mean(0), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(standard.std(0), torch.ones(4), atol=1e-3, rtol=0)
    assert float(layer(torch.full((1, 4), 1e9)).max()) < 10


def test_codes_of_an_input_fill_bin_by_bin():
    values = torch.arange(101.0)[:, None]
    encoding = PiecewiseLinearEncoding(1, bins=4)
    encoding.fit(values)
    codes = encoding(torch.tensor([[-5.0], [10.0], [25.0], [60.0], [1000.0]]))
    assert encoding.outputs == codes.shape[1] == 5
    expected = torch.tensor(
        [[0, 0, 0, 0], [0.4, 0, 0, 0], [1, 0, 0, 0], [1, 1, 0.4, 0], [1, 1, 1, 1]]
    )
    torch.testing.assert_close(codes[:, 1:] + 0.5, expected)
    torch.testing.assert_close(codes[:, 0], torch.tensor([-5.0, 10, 25, 60, 1000]))


def test_a_layer_of_the_ensemble_equals_its_members_one_by_one():
    torch.manual_seed(0)
    layer = BatchEnsembleLinear(5, 3, members=4, random_signs=True)
    x = torch.randn(7, 4, 5)
    for m in range(4):
        weight = layer.output_scale[m][:, None] * layer.weight * layer.input_scale[m]
        expected = functional.linear(x[:, m], weight, layer.bias[m])
        torch.testing.assert_close(layer(x)[:, m], expected)


def test_the_ensemble_answers_with_the_mean_probability_of_its_members():
    torch.manual_seed(0)
    network = BatchEnsemble(6, members=4, width=16, depth=2, dropout=0.0).double()
    x = torch.randn(30, 6, dtype=torch.float64)
    members = network(x)
    assert members.shape == (30, 4)
    assert float(members.detach().std(1).min()) > 0
    expected = torch.logit(members.sigmoid().mean(1))
    torch.testing.assert_close(network.eval()(x), expected)


def test_member_loss_is_the_mean_of_the_members_losses():
    logits, label = torch.randn(9, 4), torch.tensor([0.0, 1, 1, 0, 1, 0, 0, 1, 1])
    expected = torch.stack(
        [
            functional.binary_cross_entropy_with_logits(logits[:, m], label, reduction="none")
            for m in range(4)
        ]
    ).mean(0)
    torch.testing.assert_close(member_loss(logits, label), expected)
    assert member_loss(logits[:, 0], label).shape == (9,)


@pytest.mark.parametrize("name", NETWORKS)
def test_training_by_default_settings_finds_the_signal(name, separable):
    train, validation, test = separable
    settings = default_training(name) | {"epochs": 6, "batch_size": 64}
    trainer = Trainer(
        build_network(name, train.features),
        device="cpu",
        **{key: value for key, value in settings.items() if key != "epochs"},
    )
    trainer.fit(DataSet.from_rows(train, validation, test), settings["epochs"])
    assert roc_auc_score(test.label, trainer.predict(test)) > 0.85
