"""Ranks that die during training: the others continue, with the same results."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import psutil
import pytest
from mpi_programs import program

from matexapps.launch.mpiexec import find_mpiexec, mpi_environment
from matexapps.train.monitor.ledger import read_ledger

PROGRAM = program("failures/train_with_failures.py")


def trained(run_ranks, n, plan, folder, how="SIGKILL", timeout_s=60.0):
    done = run_ranks(n, PROGRAM, json.dumps(plan), folder, how, timeout_s, fault_tolerant=True)
    assert done.returncode == 0, done.stderr[-5000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def undisturbed(run_ranks_once, tmp_path_factory):
    """What one process computes."""
    folder = tmp_path_factory.mktemp("alone")
    (result,) = trained(run_ranks_once, 1, [{}], folder)
    return result["values"]


def require_consistency(values, undisturbed):
    for ours, theirs in zip(values, undisturbed, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-5)


def require_each_row_once(folder):
    table = read_ledger(folder / "ledger")
    learned = table[table.counts]
    rows = set(learned.row)
    assert len(rows) == 211
    for epoch in (1, 2, 3):
        assert sorted(learned.row[learned.epoch == epoch]) == sorted(rows)


@pytest.mark.open_mpi
def test_ranks_die_one_after_another_down_to_one(run_ranks, tmp_path, undisturbed):
    plan = [{"0": 5}, {"2": 60}, {"3": 80}]
    seen = trained(run_ranks, 4, plan, tmp_path)
    assert [result["ranks"] for result in seen] == [3, 2, 1]
    lost = ["rank 0 on", "rank 1 on", "rank 1 on"]
    for number, (result, who) in enumerate(zip(seen, lost, strict=True)):
        (message,) = result["events"]
        assert message.startswith(who)
        assert " lost " in message
        require_consistency(result["values"], undisturbed)
        require_each_row_once(tmp_path / str(number))


@pytest.mark.slow
@pytest.mark.open_mpi
def test_two_ranks_die_at_once(run_ranks, tmp_path, undisturbed):
    (result,) = trained(run_ranks, 3, [{"0": 40, "2": 40}], tmp_path)
    assert result["ranks"] == 1
    assert {word for text in result["events"] for word in text.split() if word == "lost"}
    require_consistency(result["values"], undisturbed)
    require_each_row_once(tmp_path / "0")


@pytest.mark.slow
@pytest.mark.open_mpi
def test_a_rank_that_hangs_is_killed_at_the_deadline(run_ranks, tmp_path, undisturbed):
    (result,) = trained(run_ranks, 3, [{"1": 45}], tmp_path, how="SIGSTOP", timeout_s=2.0)
    assert result["ranks"] == 2
    assert result["events"][0].startswith("rank 1 on")
    require_consistency(result["values"], undisturbed)
    require_each_row_once(tmp_path / "0")


EXITS = program("failures/exit_early.py")


@pytest.mark.open_mpi
@pytest.mark.parametrize("status", [0, 3])
def test_a_rank_that_exits_early_counts_as_failed(run_ranks, status):
    done = run_ranks(3, EXITS, status, fault_tolerant=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["2 1", "2 1"]


@pytest.mark.slow
@pytest.mark.open_mpi
def test_no_rank_waits_forever_if_mpi_does_not_report_an_early_exit(tmp_path):
    (tmp_path / "exits.py").write_text(EXITS)
    words = [find_mpiexec(), "--with-ft", "ulfm", "-n", 3, sys.executable, "exits.py", 3]
    done = subprocess.run(
        [str(word) for word in words],
        env={**os.environ, **mpi_environment()},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0
    assert "for rank 1 on " in done.stderr
    assert "it exited without ending MPI" in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_command_restarts_and_continues_from_its_checkpoint(tmp_path):
    command = [sys.executable, "-m", "matexapps.cli", "higgs", "train", "-n", "2", "--json"]
    command += ["--epochs", "8", "--seeds", "1", "--recovery", "checkpoint", "--checkpoints"]
    undisturbed = subprocess.run(
        [*command, str(tmp_path / "undisturbed")], capture_output=True, text=True, check=True
    )
    folder = tmp_path / "disturbed"
    with subprocess.Popen([*command, str(folder)], stdout=-1, stderr=-1, text=True) as running:
        while not list(folder.glob("random-seed-0/checkpoint-*3-*")):
            assert running.poll() is None
            time.sleep(0.02)
        ranks = [
            process
            for process in psutil.Process(running.pid).children(recursive=True)
            if "matexapps.experiment.command" in process.cmdline() and "-n" not in process.cmdline()
        ]
        ranks[1].kill()
        output, errors = running.communicate(timeout=600)
    assert running.returncode == 0, errors
    assert "a rank died; all ranks restart in 1 s (restart 1 of 3)" in errors
    ours, theirs = (
        json.loads(text.splitlines()[-1])["splits"]["random"]
        for text in (output, undisturbed.stdout)
    )
    assert ours["roc_auc"] == pytest.approx(theirs["roc_auc"], rel=1e-6)
    assert ours["epochs"] == theirs["epochs"] == [8]


@pytest.mark.mpich
def test_a_recovery_that_is_not_possible_is_refused(run_ranks):
    program = """
    import torch
    import matexapps as mx

    for recovery in ("shrink", "checkpoint", "shrinc"):
        try:
            mx.Trainer(torch.nn.Linear(1, 1), recovery=recovery)
        except mx.MatexError as error:
            if mx.open_world().rank == 0:
                print(error, flush=True)
    """
    shrink, checkpoint, misspelt = run_ranks(2, program).stdout.splitlines()
    assert "mpiexec --with-ft ulfm" in shrink
    assert "put Checkpointing(folder) among the callbacks" in checkpoint
    assert "did you mean 'shrink'?" in misspelt


@pytest.mark.open_mpi
@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("rank", [0, 2])
def test_a_rank_may_die_at_any_moment(run_ranks, tmp_path, undisturbed, rank):
    (complete,) = trained(run_ranks, 3, [{}], tmp_path / "complete")
    # In the last wait a rank may have done its part already: the others finish without it.
    for moment in range(1, complete["waits"], 2):
        folder = tmp_path / str(moment)
        (result,) = trained(run_ranks, 3, [{str(rank): moment}], folder)
        assert result["ranks"] == 2
        require_consistency(result["values"], undisturbed)
        require_each_row_once(folder / "0")
