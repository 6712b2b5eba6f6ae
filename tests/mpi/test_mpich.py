"""With MPICH one death ends all ranks, so they restart from a checkpoint."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import rank_functions
from mpi_programs import program

from matexapps.cluster.cluster import Cluster
from matexapps.errors import ClusterError
from matexapps.launch import mpiexec

pytestmark = [
    pytest.mark.mpich,
    pytest.mark.skipif(
        "HYDRA" not in mpiexec._version_text(mpiexec.find_mpiexec()),
        reason="needs MPICH: make test-mpich",
    ),
]

TRAINING = program("failures/train_with_death.py")

EARLY = """
import os, signal
if os.environ["PMI_RANK"] == "1":
    os.kill(os.getpid(), signal.SIGKILL)
from mpi4py import MPI
"""


def start(script, *args, n=2, restarts=0):
    """Start a script on ranks as a command does; return exit status, output and errors."""
    done = subprocess.run(
        [
            *(sys.executable, "-c"),
            "import sys\nfrom matexapps.launch.mpiexec import run_on_ranks\n"
            f"sys.exit(run_on_ranks('script', sys.argv[1:], {n}, restarts={restarts}))",
            *map(str, args),
        ],
        env={**os.environ, "PYTHONPATH": str(script.parent), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def script(tmp_path):
    return tmp_path / "script.py"


@pytest.mark.slow
def test_after_a_death_ranks_restart_from_the_last_checkpoint(script, tmp_path):
    script.write_text(TRAINING)
    status, undisturbed, errors = start(script, tmp_path / "undisturbed", "nobody", n=1)
    assert status == 0, errors
    (tmp_path / "disturbed").mkdir()
    status, disturbed, errors = start(script, tmp_path / "disturbed", 1, restarts=1)
    assert status == 0, errors
    death, restart = [line for line in errors.splitlines() if "rank" in line]
    assert death.startswith("rank 1 on ")
    assert death.endswith("was ended by signal 9 (Killed)")
    assert restart == "a rank died; all ranks restart in 1 s (restart 1 of 1)"
    expected = json.loads(undisturbed.splitlines()[-1])
    assert json.loads(disturbed.splitlines()[-1]) == pytest.approx(expected, rel=1e-5)
    assert len(expected) == 4


def test_a_death_before_mpi_starts_frees_the_others(script):
    script.write_text(EARLY)
    status, _, errors = start(script)
    assert status == 128 + 9
    assert errors.startswith("rank 1 on ")
    assert errors.count("\n") == 1


def test_in_a_notebook_a_death_is_reported_and_new_ranks_start():
    with Cluster(2) as cluster:
        before = cluster.run(os.getpid)
        with pytest.raises(ClusterError, match=r"rank 1 on .*was ended by signal 9 \(SIGKILL: "):
            cluster.run(rank_functions.die_on, 1)
        assert set(cluster.run(os.getpid)).isdisjoint(before)


@pytest.mark.parametrize("recovery", ["shrink", "reinit"])
def test_recovery_with_survivors_is_refused_in_one_sentence_before_anything_starts(recovery):
    command = [sys.executable, "-m", "matexapps.cli", "higgs", "train", "-n", "2"]
    done = subprocess.run([*command, "--recovery", recovery], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert f"recovery='{recovery}' needs ranks that continue when another fails" in done.stderr
    assert f"but {mpiexec.find_mpiexec()} is of MPICH; choose recovery='checkpoint'" in done.stderr
