"""The communicator on real ranks, compared with known results."""

from __future__ import annotations

import json

import pytest
from mpi_programs import program

SEVERAL = [pytest.param(2, marks=pytest.mark.slow), 3]

COLLECTIVES = program("comm/collectives.py")


@pytest.mark.mpich
@pytest.mark.parametrize("n", [1, 2, 3])
def test_collectives_give_known_results_on_every_rank(run_ranks, n):
    result = run_ranks(n, COLLECTIVES)
    assert result.returncode == 0, result.stderr
    all_ranks = json.loads(result.stdout)
    assert len(all_ranks) == n
    for rank, seen in enumerate(all_ranks):
        assert seen["sums"] is True
        assert seen["top"] == [n - 1, 0]
        assert seen["image"] == [n - 1, n - 1]
        assert seen["rows"] == [r for r in range(n) for _ in range(r)]
        assert seen["several"] is True
        assert seen["objects"] == [1000 * r for r in range(n)]
        assert seen["root"] == "from 0"
        assert seen["local"] == [rank, n]


MEANS = program("comm/weighted_means.py")


@pytest.fixture(scope="module", params=[1, 2, 3])
def means(request, run_ranks_once):
    """A number of ranks, and what each kind of mean came to on them."""
    result = run_ranks_once(request.param, MEANS)
    assert result.returncode == 0, result.stderr
    return request.param, json.loads(result.stdout)


@pytest.mark.mpich
@pytest.mark.parametrize("path", ["own", "messages"])
@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_weighted_means_are_exact_and_the_same_bits_everywhere(means, kind, path):
    n, seen = means[0], means[1][f"{path} {kind}"]
    weights = [r + 1.0 for r in range(n)]
    offset = sum(w * r for r, w in enumerate(weights)) / sum(weights)
    for step, (total, first, last) in enumerate(seen["means"]):
        assert total == sum(weights) * (step + 1)
        assert first == pytest.approx(offset, rel=1e-6)
        assert last == pytest.approx(600_000 % 1000 + offset, rel=1e-6)
    assert seen["same"]


@pytest.mark.mpich
@pytest.mark.parametrize("n", [2, 3])
def test_an_exception_on_one_rank_frees_the_others(run_ranks, n):
    result = run_ranks(
        n,
        """
        from matexapps.comm.world import open_world
        from matexapps.errors import PeerAborted

        with open_world(timeout_s=60) as comm:
            if comm.rank == 1:
                raise ValueError("the third row is odd")
            try:
                comm.barrier()
            except PeerAborted as error:
                print(f"freed: {error}", flush=True)
                raise
        """,
    )
    assert result.returncode != 0
    assert result.stdout.count("freed: rank 1 on") == n - 1
    assert result.stdout.count("ValueError: the third row is odd") == n - 1


@pytest.mark.mpich
@pytest.mark.parametrize("n", SEVERAL)
def test_a_rank_that_does_not_arrive_is_an_error_not_a_hang(run_ranks, n):
    result = run_ranks(
        n,
        """
        import os
        from matexapps.comm.world import open_world
        from matexapps.errors import CommunicationError

        comm = open_world(timeout_s=0.5)
        flag = open_world()
        if comm.rank != 0:
            try:
                comm.barrier()
            except CommunicationError as error:
                print(type(error).__name__, error, flush=True)
        flag.barrier()
        """,
    )
    assert result.returncode == 0, result.stderr
    assert "DeadlineExceeded waited" in result.stdout
    assert "barrier" in result.stdout


@pytest.mark.mpich
@pytest.mark.parametrize("n", SEVERAL)
def test_an_interrupt_ends_a_wait_and_a_new_world_works(run_ranks, n):
    result = run_ranks(n, program("comm/interrupt_a_barrier.py"))
    assert result.returncode == 0, result.stderr
    assert "0 KeyboardInterrupt" in result.stdout
    assert result.stdout.count("PeerAborted") >= n - 2
    assert result.stdout.count("left: this communicator was left in the middle") == n - 1
    assert result.stdout.count(f"sum {n * (n - 1) // 2}") == n


@pytest.mark.parametrize("n", [1, 2, 3])
def test_an_error_on_any_rank_is_raised_on_all(run_ranks, n):
    result = run_ranks(n, program("comm/raise_on_a_rank.py"))
    assert result.returncode == 0, result.stderr
    assert result.stdout.count(f"bad row on {n - 1}") == n
    assert result.stdout.count("division by zero") == n
