"""Ranks that die and are replaced: all ranks restart and continue, with the same results."""

from __future__ import annotations

import json
import random

import pytest
from mpi_programs import program

from matexapps.train.monitor.ledger import read_ledger

pytestmark = pytest.mark.open_mpi

PROGRAM = program("failures/train_with_reinit.py")


def trained(run_ranks, n, plan, folder):
    done = run_ranks(n, PROGRAM, json.dumps(plan), folder, fault_tolerant=True)
    # If a rank that replaced another one dies, Open MPI's launcher returns that status.
    assert done.returncode in (0, 137), done.stderr[-5000:]
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return json.loads(line)


def require_consistency(result, undisturbed):
    for ours, theirs in zip(result["values"], undisturbed["values"], strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-5)


def require_each_row_once(folder):
    for seed in (0, 1):
        table = read_ledger(folder / str(seed))
        learned = table[table.counts]
        rows = set(learned.row)
        assert len(rows) == 211
        for epoch in (1, 2, 3):
            assert sorted(learned.row[learned.epoch == epoch]) == sorted(rows)


@pytest.fixture(scope="module")
def undisturbed(run_ranks_once, tmp_path_factory):
    """What one process computes."""
    return trained(run_ranks_once, 1, {}, tmp_path_factory.mktemp("alone"))


def test_a_failed_rank_is_replaced_by_a_new_one(run_ranks, tmp_path, undisturbed):
    result = trained(run_ranks, 3, {"0:0": 40}, tmp_path)
    assert result["ranks"] == 3
    assert result["events"][0].startswith("rank 0 on ")
    assert " lost; 3 ranks start again from epoch " in result["events"][0]
    require_consistency(result, undisturbed)
    require_each_row_once(tmp_path)


def test_a_fit_that_was_being_prepared_is_prepared_again(run_ranks, tmp_path, undisturbed):
    # While the second network's mean and spread are computed.
    result = trained(run_ranks, 3, {"0:1": 92}, tmp_path)
    assert result["events"][0].startswith("rank 1 on ")
    require_consistency(result, undisturbed)
    require_each_row_once(tmp_path)


@pytest.mark.slow
def test_a_replacement_is_replaced_too(run_ranks, tmp_path, undisturbed):
    result = trained(run_ranks, 3, {"0:0": 40, "1:2": 45}, tmp_path)
    assert result["ranks"] == 3
    assert result["events"][1].startswith("rank 2 on ")
    require_consistency(result, undisturbed)
    require_each_row_once(tmp_path)


def test_it_needs_fault_tolerant_ranks(run_ranks):
    program = """
    import matexapps as mx
    try:
        mx.reinit(lambda: print("not to be seen"))
    except mx.MatexError as error:
        print(error, flush=True)
    """
    printed = run_ranks(2, program).stdout
    assert "mpiexec --with-ft ulfm" in printed
    assert "not to be seen" not in printed


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_ranks_may_die_at_any_moment(run_ranks, tmp_path, undisturbed):
    complete = trained(run_ranks, 3, {}, tmp_path / "complete")
    rng = random.Random(0)
    for number in range(20):
        moments = {f"0:{rng.randrange(3)}": rng.randrange(1, complete["waits"])}
        moments[f"1:{rng.randrange(3)}"] = rng.randrange(1, complete["waits"])
        folder = tmp_path / str(number)
        result = trained(run_ranks, 3, moments, folder)
        assert result["ranks"] == 3
        require_consistency(result, undisturbed)
        require_each_row_once(folder)
