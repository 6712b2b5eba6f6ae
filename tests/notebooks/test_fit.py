"""Training on a cluster: the model is sent there and comes back, and ranks are kept."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from torch import nn

from matexapps import DataSet, Trainer
from matexapps.errors import DataError, MatexError, TrainingError


class Line(nn.Module):
    """A network of this test's own, which the ranks cannot import by a package's name."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.layer(features)


@pytest.fixture
def data() -> DataSet:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(500, 3))
    label = (features @ [2.0, -1.0, 0.5] + 0.1 * generator.normal(size=500) > 0).astype(float)
    return DataSet.from_arrays(features, label, validation=0.1, test=0.2, seed=0)


@pytest.fixture
def model() -> Line:
    torch.manual_seed(1)
    return Line()


def test_a_fit_gives_history_metrics_and_the_trained_model(pair, data, model):
    before = model.layer.weight.detach().clone()
    result = pair.fit(model, data, epochs=4, batch_size=50, metrics=["accuracy"])
    assert list(result.history.frame.index) == [1, 2, 3, 4]
    assert result.history.frame["loss"].iloc[-1] < result.history.frame["loss"].iloc[0]
    assert result.metrics.keys() == {"loss", "accuracy"}
    assert torch.equal(model.layer.weight, before)
    assert type(result.model) is Line
    assert not torch.equal(result.model.layer.weight, before)
    with torch.no_grad():
        answer = result.model(torch.from_numpy(data.test.features))[:, 0] > 0
    accuracy = float((answer.numpy() == data.test.label).mean())
    assert result.metrics["accuracy"] == pytest.approx(accuracy)
    assert "accuracy" in repr(result)


def test_two_fits_in_a_row_use_the_same_ranks_and_agree(pair, data, model):
    pids = pair.run(os.getpid)
    first = pair.fit(model, data, epochs=2, batch_size=50)
    second = pair.fit(model, data, epochs=2, batch_size=50)
    assert pair.run(os.getpid) == pids
    assert list(first.history.frame["loss"]) == list(second.history.frame["loss"])


def test_two_ranks_give_what_this_process_gives_alone(pair, data, model):
    together = pair.fit(model, data, epochs=3, batch_size=64)
    alone = Trainer(model, batch_size=64, device="cpu").fit(data, 3)
    np.testing.assert_allclose(together.history.frame["loss"], alone.frame["loss"], rtol=1e-5)


def test_dropout_and_batch_norm_act_as_in_this_process_alone(pair, data):
    torch.manual_seed(1)
    # The gradient of a bias before batch norm is zero but for rounding, which Adam would enlarge.
    model = nn.Sequential(
        nn.Linear(3, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 1)
    )
    together = pair.fit(model, data, epochs=2, batch_size=64)
    alone = Trainer(model, batch_size=64, device="cpu").fit(data, 2)
    for column in ("loss", "validation_loss"):
        np.testing.assert_allclose(
            together.history.frame[column], alone.frame[column], rtol=1e-5, atol=1e-5
        )
    expected = model.state_dict()
    for name, value in together.model.state_dict().items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-5, atol=1e-5, err_msg=name)


def test_an_optimizer_made_outside_follows_its_model(pair, data, model):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    still = pair.fit(model, data, epochs=1, optimizer=optimizer)
    assert torch.equal(still.model.layer.weight, model.layer.weight)


def test_a_misspelled_setting_gets_a_guess(pair, data, model):
    with pytest.raises(
        TrainingError, match="unknown setting 'batchsize'; did you mean 'batch_size'"
    ):
        pair.fit(model, data, epochs=1, batchsize=50)


def test_a_missing_file_is_reported_as_in_a_script(pair, model):
    with pytest.raises(DataError, match=r"nowhere\.csv"):
        pair.fit(model, DataSet("nowhere.csv", label="class"), epochs=1)


def test_a_mistake_in_the_network_is_reported_with_its_line(pair, data):
    with pytest.raises(MatexError, match=r"mat1 and mat2 shapes cannot be multiplied"):
        pair.fit(nn.Linear(4, 1), data, epochs=1)


def test_wrong_settings_are_reported_as_in_a_script(pair, data, model):
    with pytest.raises(TrainingError, match="batch_size"):
        pair.fit(model, data, epochs=1, batch_size=0)
