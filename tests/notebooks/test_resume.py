"""A training that lost a rank continues on new ranks with the undisturbed result."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import matexapps as mx
from matexapps.errors import ClusterError

EPOCHS = 5


class KilledOnce(mx.Callback):
    """Kills the process of rank 1 in the middle of epoch 3, the first time it gets there."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def on_step_end(self, trainer) -> None:
        is_due = (trainer.comm.rank, trainer.position.epoch, trainer.position.step) == (1, 2, 4)
        if is_due and not self.marker.exists():
            self.marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def data() -> mx.DataSet:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(500, 3))
    label = (features @ [2.0, -1.0, 0.5] + 0.1 * generator.normal(size=500) > 0).astype(float)
    return mx.DataSet.from_arrays(features, label, validation=0.1, test=0.2, seed=0)


def network() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 1))


def values(model: nn.Module) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in model.state_dict().items()}


@pytest.mark.slow
def test_the_same_call_after_a_crash_gives_the_undisturbed_result(data, tmp_path, nothing_left):
    folder, marker = tmp_path / "checkpoints", tmp_path / "killed"

    def fit(cluster, *callbacks, **settings):
        callbacks = [mx.EarlyStopping(patience=EPOCHS), *callbacks]
        return cluster.fit(
            network(),
            data,
            epochs=EPOCHS,
            batch_size=40,
            metrics=["roc_auc"],
            callbacks=callbacks,
            **settings,
        )

    def disturbed(cluster):
        callbacks = mx.Checkpointing(folder), KilledOnce(marker)
        return fit(cluster, *callbacks, resume=folder, recovery="abort")

    with mx.Cluster(2) as cluster:
        calm = fit(cluster)
        before = cluster.run(os.getpid)
        with pytest.raises(ClusterError, match=r"rank 1 .*signal 9"):
            disturbed(cluster)
        assert marker.exists()
        cluster.restart()
        result = disturbed(cluster)
        assert set(cluster.run(os.getpid)).isdisjoint(before)
    assert list(result.history.frame.index) == list(range(1, EPOCHS + 1))
    columns = ["loss", "validation_loss", "roc_auc", "learning_rate"]
    disturbed_rows, calm_rows = result.history.frame[columns], calm.history.frame[columns]
    np.testing.assert_allclose(disturbed_rows, calm_rows, rtol=0, atol=1e-6)
    expected = values(calm.model)
    for name, value in values(result.model).items():
        np.testing.assert_allclose(value, expected[name], rtol=0, atol=1e-6)
    assert result.metrics == pytest.approx(calm.metrics, abs=1e-6)
