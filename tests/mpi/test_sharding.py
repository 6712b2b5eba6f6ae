"""What acts inside networks gives on N ranks what it gives on one: dropout, batch norm, sums."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from global_batch_networks import BATCH, NETWORKS, data_set, flat, network, sgd
from mpi_programs import program
from torch import nn

from matexapps.data.loading.sampler import global_permutation

RANKS = (1, 2, 3)
# Batches that have fewer rows than there are ranks, or than two for each rank.
FEW_ROWS = {"lstm": 2, "attention": 2, "both": 4}

PROGRAM = program("training/fit_networks.py")


@pytest.fixture(scope="module")
def on_ranks(run_ranks_once, tmp_path_factory) -> list[dict]:
    """What training gave for each number of ranks, which goes on from what the one before left."""
    folder = tmp_path_factory.mktemp("at")
    results = []
    for before, n in zip((None, *RANKS), RANKS, strict=False):
        folders = folder / f"{n}", folder / f"{before}"
        done = run_ranks_once(n, PROGRAM, json.dumps(FEW_ROWS), *folders, timeout=280)
        assert done.returncode == 0, done.stderr[-5000:]
        results.append(json.loads(done.stdout.splitlines()[-1]))
    return results


@pytest.mark.parametrize("name", [*NETWORKS, *(f"few rows, {name}" for name in FEW_ROWS)])
def test_losses_weights_and_predictions_do_not_depend_on_the_ranks(on_ranks, name):
    for results in on_ranks[1:]:
        require_equal(results[name], on_ranks[0][name])


def require_equal(results: dict, expected: dict, tolerance: float = 1e-5) -> None:
    for what, values in results.items():
        np.testing.assert_allclose(
            values, expected[what], rtol=tolerance, atol=tolerance, err_msg=what
        )


def test_compiled_networks_give_the_same(on_ranks):
    for results in on_ranks:
        require_equal(results["compiled"], on_ranks[0]["both"])


def test_half_size_numbers_differ_by_their_rounding_alone(on_ranks):
    for results in on_ranks[1:]:
        require_equal(results["bf16"], on_ranks[0]["bf16"], 0.05)


@pytest.mark.parametrize("name", ["both", "lstm"])
def test_a_run_stopped_in_mid_epoch_goes_on_with_another_number_of_ranks(on_ranks, name):
    for results in on_ranks[1:]:
        require_equal(results["resumed, " + name], on_ranks[0][name])


@pytest.mark.parametrize("name", NETWORKS)
def test_one_rank_draws_what_a_plain_loop_draws(on_ranks, name):
    net, data = network(name), data_set()
    features, label = map(torch.from_numpy, (data.train.features, data.train.label))
    optimizer = sgd(net.parameters())
    for epoch in range(2):
        torch.manual_seed(int(np.random.SeedSequence([3, epoch, 0]).generate_state(1)[0]))
        order = torch.from_numpy(global_permutation(len(label), 3, epoch))
        for rows in order.split(BATCH):
            optimizer.zero_grad()
            loss = nn.functional.binary_cross_entropy_with_logits(
                net(features[rows])[:, 0], label[rows]
            )
            loss.backward()
            optimizer.step()
    np.testing.assert_allclose(on_ranks[0][name]["weights"], flat(net), rtol=1e-5, atol=1e-6)


DYING = program("training/die_in_a_step.py")


@pytest.mark.open_mpi
@pytest.mark.parametrize("name", ["both", "transformer"])
def test_ranks_go_on_exactly_after_a_death_in_the_middle_of_a_step(on_ranks, run_ranks, name):
    # The rank dies after its forward pass, which has drawn numbers and moved running statistics.
    done = run_ranks(3, DYING, name, fault_tolerant=True)
    assert done.returncode == 0, done.stderr[-5000:]
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("[")]
    ranks, results = json.loads(line)
    assert ranks == 2
    require_equal(results, on_ranks[0][name])


COUNTING = program("training/count_messages.py")


def test_only_networks_that_need_other_rows_exchange_messages(run_ranks):
    done = run_ranks(2, COUNTING)
    assert done.returncode == 0, done.stderr[-5000:]
    counts = json.loads(done.stdout.splitlines()[-1])
    calls = {name: results.pop("rows of calls") for name, results in counts.items()}
    # All rows, and then two parts, or one and this rank's.
    assert list(calls.values()) == [[5, 3, 2]] * 3
    assert counts["plain"] == {"finding out": {}, "step": {"average": 1}}
    assert counts["dropout"] == {"finding out": {"all_gather_object": 1}, "step": {"average": 1}}
    # Two layers: one message each in the forward pass, and one in the backward pass.
    assert counts["batch norm 1d"] == {
        "finding out": {"all_gather_object": 1, "all_reduce": 2},
        "step": {"average": 1, "all_reduce": 4},
    }


REFUSED = program("training/fit_refused_networks.py")


def test_what_would_depend_on_the_ranks_is_refused(run_ranks):
    done = run_ranks(2, REFUSED)
    assert done.returncode == 0, done.stderr[-5000:]
    messages = json.loads(done.stdout.splitlines()[-1])
    assert messages["numpy"].startswith(
        "Own would not give the result of one rank on 2 ranks: it draws from numpy's generator"
    )
    for name in ("rows", "shuffled", "script"):
        assert "the outputs of some rows depend on other rows" in messages[name]
    assert "its buffer 'codes' depends on all rows" in messages["buffer"]
    assert "the random numbers of rank 1 differ from those of rank 0" in messages["callback"]
