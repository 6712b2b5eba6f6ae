"""Ranks behind a notebook that die: the others go on, and keep their names."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from dying import Dies, DiesWhenSent
from torch import nn

import matexapps as mx
from matexapps.cluster.cluster import Cluster
from matexapps.errors import ClusterError

pytestmark = pytest.mark.open_mpi

HOST = socket.gethostname()
TRAINER = (Path(__file__).with_name("programs") / "trainer.py").read_text()


def training(dying: list[mx.Callback]) -> tuple[nn.Module, mx.DataSet, dict]:
    """A small network, its rows, and how it is trained."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(301, 8)).astype(np.float32)
    label = (features[:, 0] + features[:, 1] > 0).astype(np.float32)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
    settings = {"epochs": 3, "batch_size": 64, "metrics": ["accuracy"], "callbacks": dying}
    return network, mx.DataSet.from_arrays(features, label), settings


def die(cluster: Cluster, rank: int) -> None:
    """End a rank that does nothing, and wait until it is gone."""
    pid = cluster.status().pid[rank]
    os.kill(pid, signal.SIGKILL)
    while os.path.exists(f"/proc/{pid}"):
        time.sleep(0.01)


def test_training_goes_on_and_then_other_work(nothing_left, capsys):
    network, data, settings = training([])
    epochs = settings.pop("epochs")
    alone = mx.Trainer(network, **settings).fit(data, epochs).frame
    with Cluster(3) as cluster:
        # Rank 0 is the one whose result comes back.
        network, data, settings = training([Dies(0, epoch=1, step=2)])
        result = cluster.fit(network, data, **settings)
        columns = ["loss", "validation_loss", "accuracy"]
        np.testing.assert_allclose(result.history.frame[columns], alone[columns], rtol=1e-5)
        (event,) = result.events
        assert event["lost"] == [0]
        assert f"rank 0 on {HOST} lost at epoch 2, step 3; 2 ranks go on" in event["event"]
        assert event["event"] in repr(result)
        printed = capsys.readouterr()
        assert event["event"] in printed.out
        assert f"rank 0 on {HOST} was ended by signal 9" in printed.err
        assert "NBC" not in printed.out + printed.err
        assert cluster.n == 2

        die(cluster, 0)
        assert cluster.run(os.getpid) == list(cluster.status().pid)
        assert cluster.n == 1
        assert f"While nothing ran, rank 0 on {HOST} was ended by sig" in capsys.readouterr().err


@pytest.mark.slow
def test_a_result_is_not_lost_with_the_rank_that_sends_it(nothing_left):
    _, data, settings = training([])
    with Cluster(2) as cluster:
        result = cluster.fit(DiesWhenSent(8, 1), data, **settings)
        assert len(result.history.rows) == settings["epochs"]
        assert cluster.n == 1


@pytest.mark.slow
@pytest.mark.parametrize(("timeout_s", "why"), [(5, "SIGKILL"), (600, "no sign of life")])
def test_a_rank_that_hangs_is_ended_and_the_others_go_on(nothing_left, capsys, timeout_s, why):
    network, data, settings = training([Dies(1, epoch=1, step=2, by=signal.SIGSTOP)])
    with Cluster(3) as cluster:
        result = cluster.fit(network, data, timeout_s=timeout_s, **settings)
        assert [event["lost"] for event in result.events] == [[1]]
        assert why in capsys.readouterr().err
        assert cluster.n == 2


def test_work_that_does_not_tolerate_failures_fails_and_names_stay(nothing_left):
    with Cluster(3) as cluster:
        cluster.execute("import os, time\nfrom mpi4py import MPI\nnumber = MPI.COMM_WORLD.rank")
        with pytest.raises(ClusterError, match=r"rank 1 .* was ended by signal 9") as raised:
            cluster.execute(
                "if number == 1:\n    print('last words')\n    os.kill(os.getpid(), 9)\n"
                "MPI.COMM_WORLD.barrier()"
            )
        assert "last words" in str(raised.value)
        assert "2 ranks go on, with their names" in str(raised.value)
        assert cluster.execute("MPI.COMM_WORLD.allgather(number)", fetch=True) == [[0, 2], [0, 2]]
        assert "rank-2.log" in cluster.logs(1)
        # Other ranks that compute are not waited for.
        with pytest.raises(ClusterError, match=r"rank 0 .* was ended by signal 9"):
            cluster.execute("os.kill(os.getpid(), 9) if number == 0 else time.sleep(600)")
        assert cluster.execute("number", fetch=True) == [2]


CONTINUE = (
    "[comm.world_size, trainer.model is model, [row['loss'] for row in trainer.fit(data, 4).rows]]"
)


def test_the_lost_are_replaced_and_the_model_lives(nothing_left, capsys):
    with Cluster(3) as cluster:
        cluster.execute(TRAINER)
        die(cluster, 1)
        cluster.grow()
        message = capsys.readouterr().err
        assert "handed over: comm, data, losses, model, mx, np, rng, torch, trainer" in message
        assert "not set on rank 2, set them there again: rank" in message
        assert "lost, because they cannot be pickled: lines" in message
        values = cluster.execute(CONTINUE, fetch=True)
        assert [(n, same) for n, same, _ in values] == [(3, True)] * 3
        alone: dict = {}
        exec(TRAINER, alone)
        _, _, losses = eval(CONTINUE, alone)
        np.testing.assert_allclose([row[2] for row in values], [losses] * 3, rtol=1e-5)
        with pytest.raises(ClusterError, match="cannot grow to 2"):
            cluster.grow(2)


@pytest.mark.slow
def test_where_no_rank_holds_a_name_growing_says_so(nothing_left, capsys):
    with Cluster(1) as cluster:
        cluster.grow(2)
        message = "2 ranks; nothing to hand over, because no rank had a name\n"
        assert capsys.readouterr().err == message
        assert cluster.n == 2


@pytest.mark.slow
@pytest.mark.parametrize("recovery", ["reinit", "checkpoint"])
def test_all_start_again_with_new_ranks(nothing_left, tmp_path, capsys, recovery):
    network, data, settings = training([])
    epochs = settings.pop("epochs")
    alone = mx.Trainer(network, **settings).fit(data, epochs).frame
    with Cluster(3) as cluster:
        first = cluster.run(os.getpid)
        dies = Dies(1, epoch=1, step=2, marker=tmp_path / "died")
        dying = [dies, mx.Checkpointing(tmp_path / "checkpoints")]
        network, data, settings = training(dying)
        result = cluster.fit(network, data, **settings, recovery=recovery)
        columns = ["loss", "validation_loss", "accuracy"]
        np.testing.assert_allclose(result.history.frame[columns], alone[columns], rtol=1e-5)
        assert f"rank 1 on {HOST} was ended by signal 9" in capsys.readouterr().out
        events = [event["event"] for event in result.events]
        if recovery == "reinit":
            assert events == [f"rank 1 on {HOST} lost; 3 ranks start again from epoch 2, step 3"]
        assert len(set(cluster.run(os.getpid)) - set(first)) == 3
