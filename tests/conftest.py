"""Fixtures for all tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from matexapps.launch.mpiexec import mpi_environment, mpiexec_command

HELPERS = str(Path(__file__).parent / "helpers")

RunRanks = Callable[..., subprocess.CompletedProcess[str]]


# What is started in the background, or under nohup, ignores these, and so would what tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def _logs_of_ranks_go_elsewhere(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["MATEXAPPS_LOGS"] = str(tmp_path_factory.mktemp("logs"))


@pytest.fixture(scope="session", autouse=True)
def _lines_of_ranks_stay_whole() -> None:
    # Unbuffered, Python writes a line and its end apart, and MPICH puts other ranks' in between.
    os.environ.pop("PYTHONUNBUFFERED", None)


@pytest.fixture
def run_ranks(tmp_path: Path) -> RunRanks:
    """Run a script, given as text, on n ranks: ``run_ranks(n, script, *args, timeout=120)``.

    One rank runs as a plain process, without MPI, as a user's script would. With ``fault_tolerant``
    ranks go on when others die. The script can import ``tests/helpers``.
    """
    return _running_in(tmp_path)


@pytest.fixture(scope="module")
def run_ranks_once(tmp_path_factory: pytest.TempPathFactory) -> RunRanks:
    """``run_ranks`` for what several tests of a module look at."""
    return _running_in(tmp_path_factory.mktemp("ranks"))


def _running_in(folder: Path) -> RunRanks:
    def run(
        n: int, script: str, *args: object, timeout: float = 120, fault_tolerant: bool = False
    ) -> subprocess.CompletedProcess[str]:
        path = folder / "ranks.py"
        path.write_text(textwrap.dedent(script))
        words = [str(path), *map(str, args)]
        command = [sys.executable, *words] if n == 1 else mpiexec_command(n, words, fault_tolerant)
        environment = {
            **os.environ,
            **mpi_environment(),
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join([HELPERS, *filter(None, [os.environ.get("PYTHONPATH")])]),
        }
        return subprocess.run(
            command,
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run
