"""Training on rows that stay in their file: the same on any number of ranks as on one."""

from __future__ import annotations

import json
import shutil

import h5py
import numpy as np
import pytest
from mpi_programs import program

from matexapps.data.dataset import DataSet

ROWS = 1003

PROGRAM = program("training/fit_streamed.py")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("sorted") / "sorted.h5"
    rng = np.random.default_rng(0)
    label = np.sort(rng.integers(0, 2, ROWS))
    features = rng.normal(size=(ROWS, 5)) * [1, 10, 100, 0.1, 1] + [0, 5, -300, 2, 0]
    features[:, 0] += label
    with h5py.File(path, "w") as file:
        file.create_dataset("features", data=features.astype(np.float32), chunks=(32, 5))
        file["label"] = label.astype(np.int8)
    return path


@pytest.fixture(scope="module")
def on_ranks(run_ranks_once, path):
    """The program's results on a number of ranks, which resume from the checkpoint of one."""
    numbers = path.with_name("numbers.h5")
    with h5py.File(numbers, "w") as file:
        rows = np.arange(ROWS, dtype=np.float32)[:, None]
        file.create_dataset("features", data=rows, chunks=(16, 1))
        file["label"] = np.arange(ROWS) % 2
    done = {}

    def seen(ranks):
        if ranks not in done:
            folder = path.with_name(f"checkpoints of {ranks}")
            if ranks > 1:
                seen(1)
                # A resumed training replaces the checkpoints that it resumes from.
                shutil.copytree(path.with_name("checkpoints of 1"), folder)
            result = run_ranks_once(ranks, PROGRAM, path, numbers, folder)
            assert result.returncode == 0, result.stderr
            done[ranks] = json.loads(result.stdout.splitlines()[-1])
        return done[ranks]

    return seen


@pytest.mark.parametrize("ranks", [pytest.param(2, marks=pytest.mark.slow), 3])
def test_losses_metrics_and_predictions_do_not_depend_on_the_ranks(on_ranks, path, ranks):
    alone, several = on_ranks(1)["streamed"], on_ranks(ranks)["streamed"]
    assert several["digest"] == alone["digest"]
    for name in ("loss", "auc", "outputs", "mean"):
        np.testing.assert_allclose(several[name], alone[name], rtol=1e-5, atol=1e-6)
    train = DataSet(path, split="stratified").train
    np.testing.assert_allclose(alone["mean"], train.features.mean(axis=0), rtol=1e-4, atol=1e-5)
    in_memory = on_ranks(ranks)["in memory"]
    np.testing.assert_allclose(in_memory["mean"], alone["mean"], rtol=1e-5)
    assert abs(in_memory["loss"][-1] - alone["loss"][-1]) < 0.05 * in_memory["loss"][-1]


@pytest.mark.parametrize("ranks", [pytest.param(2, marks=pytest.mark.slow), 3])
def test_going_on_in_mid_epoch_with_other_ranks_reads_exactly_the_rest(on_ranks, ranks):
    after = [i for ids in on_ranks(ranks)["ids"] for i in ids]
    (before,) = on_ranks(1)["ids"]
    assert sorted(before[:ROWS]) == list(range(ROWS))
    assert len(before) == ROWS + 5 * 64
    assert sorted(before[ROWS:] + after) == list(range(ROWS))
