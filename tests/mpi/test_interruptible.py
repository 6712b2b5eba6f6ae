"""The interruptible world gives what mpi4py's own gives, and its waits can be interrupted."""

from __future__ import annotations

import pytest
from mpi_programs import program

SAME = program("compare_with_mpi4py.py")

STOPPED = program("interrupt_waits.py")


@pytest.mark.mpich
@pytest.mark.parametrize("n", [2, 3])
def test_every_method_gives_what_mpi4py_gives(run_ranks, n):
    done = run_ranks(n, SAME)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["same"] * n


@pytest.mark.mpich
@pytest.mark.parametrize("n", [2, 3])
def test_waits_are_interrupted_and_the_same_name_works_again(run_ranks, n):
    done = run_ranks(n, STOPPED)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["stopped"] * n


@pytest.mark.mpich
@pytest.mark.parametrize("n", [2, 3])
def test_a_message_that_arrives_after_the_stop_changes_nothing_else(run_ranks, n):
    done = run_ranks(n, program("receive_late.py"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["unchanged"] * n
