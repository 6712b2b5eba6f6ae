"""Communicators that one piece of work has broken and the next one uses again."""

from __future__ import annotations

import pytest
from mpi_programs import program

PROGRAM = program("failures/renew_worlds.py")


@pytest.mark.mpich
@pytest.mark.parametrize("n", [1, 2, 3])
def test_broken_communicators_work_again_and_others_are_left_alone(run_ranks, n):
    done = run_ranks(n, PROGRAM)
    assert done.returncode == 0, done.stderr
    renewals = 3 if n > 1 else 0
    assert sorted(done.stdout.splitlines()) == [f"{rank} {renewals} 0" for rank in range(n)]


TRAINING = program("failures/train_after_renewal.py")


@pytest.mark.parametrize("n", [pytest.param(2, marks=pytest.mark.slow), 3])
def test_a_trainer_continues_over_a_renewed_communicator_with_the_same_weights(run_ranks, n):
    done = run_ranks(n, TRAINING)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["same"] * n
