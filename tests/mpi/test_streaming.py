"""Training on rows that stay in their file: on any number of ranks as on one."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

from matexapps.data.dataset import DataSet

ROWS = 1003

TRAIN = """
import json, sys
import torch
import matexapps as mx
from matexapps.comm.world import open_world

path, memory = sys.argv[1:]
with open_world(timeout_s=120) as comm:
    data = mx.DataSet(path, memory=memory, split="stratified")
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        mx.Standardize(5), torch.nn.Linear(5, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)
    )
    trainer = mx.Trainer(model, batch_size=64, metrics=["roc_auc"], comm=comm)
    history = trainer.fit(data, epochs=3)
    outputs = trainer.predict(data.test)
    if comm.rank == 0:
        print(json.dumps({
            "loss": [row["loss"] for row in history.rows],
            "auc": [row["roc_auc"] for row in history.rows],
            "outputs": outputs[:, 0].tolist(),
            "mean": model[0].mean.tolist(),
            "digest": data.train.digest(),
        }))
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "sorted.h5"
    rng = np.random.default_rng(0)
    label = np.sort(rng.integers(0, 2, ROWS))
    features = rng.normal(size=(ROWS, 5)) * [1, 10, 100, 0.1, 1] + [0, 5, -300, 2, 0]
    features[:, 0] += label
    with h5py.File(path, "w") as file:
        file.create_dataset("features", data=features.astype(np.float32), chunks=(32, 5))
        file["label"] = label.astype(np.int8)
    return path


def fit(run_ranks, ranks, path, memory):
    done = run_ranks(ranks, TRAIN, path, memory)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_losses_metrics_and_predictions_do_not_depend_on_the_ranks(run_ranks, path):
    alone, two, three = (fit(run_ranks, ranks, path, "16 KiB") for ranks in (1, 2, 3))
    for several in (two, three):
        assert several["digest"] == alone["digest"]
        for name in ("loss", "auc", "outputs", "mean"):
            np.testing.assert_allclose(several[name], alone[name], rtol=1e-5, atol=1e-6)
    train = DataSet(path, split="stratified").train
    np.testing.assert_allclose(alone["mean"], train.features.mean(axis=0), rtol=1e-4, atol=1e-5)
    kept = fit(run_ranks, 2, path, "2GB")
    np.testing.assert_allclose(kept["mean"], alone["mean"], rtol=1e-5)
    assert abs(kept["loss"][-1] - alone["loss"][-1]) < 0.05 * kept["loss"][-1]


RESUME = """
import json, sys
import torch
import matexapps as mx
from matexapps.comm.world import open_world

path, folder, stop = sys.argv[1], sys.argv[2], sys.argv[3] == "stop"

class Seen(mx.Callback):
    ids = []

class Stop(mx.Callback):
    def on_step_end(self, trainer):
        if stop and trainer.position.epoch == 1 and trainer.position.step == 5:
            raise KeyboardInterrupt

class Keeper(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, features):
        if self.training:
            Seen.ids += features[:, 0].int().tolist()
        return self.layer(features / 1000)

with open_world(timeout_s=120) as comm:
    data = mx.DataSet(path, memory="8 KiB", validation=0, test=0)
    torch.manual_seed(0)
    trainer = mx.Trainer(
        Keeper(), batch_size=64, comm=comm,
        callbacks=[mx.Checkpointing(folder, every_steps=1), Stop()],
    )
    try:
        trainer.fit(data, epochs=2, resume=None if stop else folder)
    except KeyboardInterrupt:
        pass
    print(json.dumps(Seen.ids), flush=True)
"""


def test_going_on_in_mid_epoch_with_other_ranks_reads_exactly_the_rest(run_ranks, tmp_path):
    path = tmp_path / "numbers.h5"
    with h5py.File(path, "w") as file:
        numbers = np.arange(ROWS, dtype=np.float32)[:, None]
        file.create_dataset("features", data=numbers, chunks=(16, 1))
        file["label"] = np.arange(ROWS) % 2
    folder = tmp_path / "checkpoints"
    first = run_ranks(1, RESUME, path, folder, "stop")
    assert first.returncode == 0, first.stderr
    rest = run_ranks(3, RESUME, path, folder, "go on")
    assert rest.returncode == 0, rest.stderr
    before = json.loads(first.stdout.splitlines()[-1])
    assert sorted(before[:ROWS]) == list(range(ROWS))
    assert len(before) == ROWS + 5 * 64
    after = [i for line in rest.stdout.splitlines() for i in json.loads(line)]
    assert sorted(before[ROWS:] + after) == list(range(ROWS))
