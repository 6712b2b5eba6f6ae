"""Evaluation and prediction on a cluster: equal to those of one process, each row once."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from matexapps import Cluster, DataSet, Trainer
from matexapps.errors import TrainingError

# An odd number of rows, so that two ranks have unequal shares.
ROWS = 503


def network(dropout: float = 0.2) -> nn.Module:
    """A network whose dropout must be off in evaluation."""
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, 1))


def outputs_alone(model: nn.Module, features: np.ndarray) -> np.ndarray:
    """The outputs that plain torch gives in this process."""
    with torch.no_grad():
        return model.eval()(torch.from_numpy(np.float32(features))).numpy()


@pytest.fixture
def features() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(ROWS, 3))


@pytest.fixture
def data(features: np.ndarray) -> DataSet:
    label = (features @ [2.0, -1.0, 0.5] > 0).astype(float)
    weight = np.random.default_rng(1).uniform(0.5, 2.0, size=ROWS)
    return DataSet.from_arrays(features, label, weight, validation=0.1, test=0.2)


@pytest.mark.parametrize("part", [None, "train", "validation", "test"])
def test_evaluation_gives_what_a_trainer_in_this_process_gives(pair, data, part):
    settings = {"loss": "binary_cross_entropy", "metrics": ["accuracy", "roc_auc"]}
    rows = getattr(data, part or "test")
    alone = Trainer(network(), device="cpu", **settings).evaluate(rows)
    together = pair.evaluate(network(), data, part=part, **settings)
    assert together == pytest.approx(alone, rel=1e-6)
    outputs = outputs_alone(network(), rows.features)[:, 0]
    expected = roc_auc_score(rows.label, outputs, sample_weight=rows.weight)
    assert together["roc_auc"] == pytest.approx(expected, abs=together["roc_auc_error"] + 1e-6)


def test_without_test_rows_the_validation_rows_are_evaluated(pair, features):
    label = (features[:, 0] > 0).astype(float)
    data = DataSet.from_arrays(features, label, validation=0.1, test=0)
    by_default = pair.evaluate(network(), data)
    assert by_default == pair.evaluate(network(), data, part="validation")
    assert by_default != pair.evaluate(network(), data, part="train")


@pytest.mark.parametrize("rows", [ROWS, 2, 1])
def test_predictions_for_an_array_come_in_the_order_of_its_rows(pair, features, rows):
    outputs = pair.predict(network(), features[:rows])
    assert outputs.shape == (rows, 1)
    np.testing.assert_allclose(outputs, outputs_alone(network(), features[:rows]), rtol=1e-5)


def test_predictions_for_samples_that_are_images(pair):
    torch.manual_seed(2)
    images = np.random.default_rng(3).normal(size=(7, 1, 6, 6))
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(32, 4))
    outputs = pair.predict(model, images)
    assert outputs.shape == (7, 4)
    np.testing.assert_allclose(outputs, outputs_alone(model, images), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("part", [None, "train"])
def test_predictions_for_a_file_come_in_the_order_of_the_part(pair, tmp_path, features, part):
    path = tmp_path / "events.csv"
    table = np.column_stack([features, features[:, 0] > 0])
    np.savetxt(path, table, delimiter=",", header="a,b,c,label", comments="")
    data = DataSet(path, test=0.2)
    outputs = pair.predict(network(), data, part=part)
    expected = outputs_alone(network(), getattr(data, part or "test").features)
    np.testing.assert_allclose(outputs, expected, rtol=1e-5)


def test_a_fitted_model_is_evaluated_as_its_fit_did(pair, data):
    result = pair.fit(network(0.0), data, epochs=2, batch_size=50, metrics=["accuracy"])
    again = pair.evaluate(result.model, data, metrics=["accuracy"])
    assert again == pytest.approx(result.metrics, rel=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"part": "tset"}, "unknown part 'tset'; did you mean 'test'?"),
        ({"metrcs": ["accuracy"]}, "unknown setting 'metrcs'; did you mean 'metrics'?"),
        ({"metrics": ["acuracy"]}, "'acuracy'; did you mean 'accuracy'?"),
        ({"loss": "binary_crossentropy"}, "did you mean 'binary_cross_entropy'?"),
    ],
)
def test_wrong_names_are_errors_with_a_suggestion(pair, data, settings, message):
    with pytest.raises(TrainingError) as raised:
        pair.evaluate(network(), data, **settings)
    assert message in str(raised.value)


def test_what_cannot_be_evaluated_or_predicted_is_refused(pair, data, features):
    with pytest.raises(TrainingError, match="needs a DataSet, whose rows have labels, got ndarr"):
        pair.evaluate(network(), features)
    with pytest.raises(TrainingError, match="part='test' names a part of a DataSet"):
        pair.predict(network(), features, part="test")
    with pytest.raises(TrainingError, match=r"unknown setting 'loss'.*use one of precision"):
        pair.predict(network(), features, loss="mse")
    with pytest.raises(TrainingError, match="no rows"):
        pair.predict(network(), features[:0])
    all_for_training = DataSet.from_arrays(features, features[:, 0] > 0, validation=0, test=0)
    with pytest.raises(TrainingError, match="neither test nor validation rows; use part='train'"):
        pair.evaluate(network(), all_for_training)


class KillsRankOne(nn.Linear):
    """A layer that ends rank 1 the first time that it is used there."""

    def __init__(self, marker: Path) -> None:
        super().__init__(3, 1)
        self.marker = str(marker)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        if os.environ.get("OMPI_COMM_WORLD_RANK") == "1" and not os.path.exists(self.marker):
            Path(self.marker).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(features)


@pytest.mark.open_mpi
def test_a_lost_rank_costs_no_row(nothing_left, tmp_path, features):
    torch.manual_seed(4)
    model = KillsRankOne(tmp_path / "killed")
    with Cluster(2) as cluster:
        outputs = cluster.predict(model, features)
        assert cluster.n == 1
    assert (tmp_path / "killed").exists()
    np.testing.assert_allclose(outputs, outputs_alone(model, features), rtol=1e-5)
