"""What acts inside networks gives in ``cluster.fit`` on N ranks what it gives on one."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from dying import DiesInStep
from global_batch_networks import (
    BATCH,
    NETWORKS,
    ROWS,
    data_set,
    flat,
    network,
    sgd,
    train,
    trainer_of,
)

import matexapps as mx
from matexapps.errors import MatexError

SLOW = {"gru", "transformer, time first", "recomputed", "stochastic depth"}
# They draw in prediction too, where a cluster's generators are not those of this process.
DRAWS_IN_PREDICTION = {"stochastic depth", "dropout in evaluation"}
# Batches that have fewer rows than there are ranks, or than two for each rank.
FEW_ROWS = {"lstm": 2, "attention": 2, "both": 4}


class Stops(mx.Callback):
    """Fails in the middle of the second epoch, on every rank."""

    def on_step_end(self, trainer) -> None:
        if (trainer.position.epoch, trainer.position.step) == (1, 2):
            raise RuntimeError("stopped in the middle of an epoch")


@pytest.fixture(scope="module")
def three() -> Iterator[mx.Cluster]:
    with mx.Cluster(3) as cluster:
        yield cluster


@pytest.fixture
def clusters(pair, three) -> dict[int, mx.Cluster]:
    """Real engines, by how many they are."""
    return {2: pair, 3: three}


def fit(cluster: mx.Cluster, name: str, rows: int = ROWS, **settings) -> dict[str, list[float]]:
    """Train on a cluster, and return what must not depend on how many ranks it has."""
    data = data_set(rows)
    settings = {"batch_size": BATCH, "optimizer": sgd, "seed": 3, **settings}
    result = cluster.fit(network(name), data, epochs=2, **settings)
    return {
        "losses": [row["loss"] for row in result.history.rows],
        "validation": [row["validation_loss"] for row in result.history.rows],
        "weights": flat(result.model),
        "predictions": cluster.predict(result.model, data, part="test")[:, 0].tolist(),
    }


@cache
def alone(name: str, batch_size: int = BATCH, rows: int = ROWS) -> dict[str, list[float]]:
    """What a trainer in this process gives."""
    return train(trainer_of(name, batch_size, device="cpu"), rows)


def require_equal(results: dict[str, list[float]], expected: dict[str, list[float]]) -> None:
    for what, values in results.items():
        np.testing.assert_allclose(values, expected[what], rtol=1e-5, atol=1e-5, err_msg=what)


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in NETWORKS],
)
def test_losses_weights_and_predictions_do_not_depend_on_the_ranks(clusters, n, name):
    results = fit(clusters[n], name)
    if name in DRAWS_IN_PREDICTION:
        del results["predictions"]
    require_equal(results, alone(name))


@pytest.mark.parametrize(("n", "name"), [(3, "lstm"), (3, "attention"), (2, "both"), (3, "both")])
def test_nor_do_they_where_a_batch_has_fewer_rows_than_ranks(clusters, n, name):
    size = FEW_ROWS[name]
    require_equal(fit(clusters[n], name, 45, batch_size=size), alone(name, size, 45))


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [("both", 2, 3), ("lstm", 3, 2), pytest.param("transformer", 2, 3, marks=pytest.mark.slow)],
)
def test_a_fit_stopped_in_mid_epoch_goes_on_with_another_number_of_ranks(
    clusters, tmp_path: Path, name, before, after
):
    callbacks = [mx.Checkpointing(tmp_path, every_steps=2), Stops()]
    with pytest.raises(MatexError, match="stopped in the middle of an epoch"):
        fit(clusters[before], name, callbacks=callbacks)
    require_equal(fit(clusters[after], name, resume=tmp_path), alone(name))


@pytest.mark.open_mpi
@pytest.mark.parametrize("name", ["both", pytest.param("transformer", marks=pytest.mark.slow)])
def test_ranks_go_on_exactly_after_a_death_in_the_middle_of_a_step(three, name):
    results = fit(three, name, callbacks=[DiesInStep(epoch=1, step=2)])
    assert three.n == 2
    three.grow()
    require_equal(results, alone(name))
