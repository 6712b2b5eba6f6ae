"""A supervisor for one rank: if the rank fails, it reports which rank it was and how it ended.

It is for launchers that do not report that. MPICH's launcher ends all ranks when one dies, and
reports whichever process it then finds first. Open MPI's does not distinguish a rank that exited
early without a message from one that printed a reason. The supervisor shares the rank's connection
to the launcher, so the launcher notices nothing before the supervisor has reported.

A rank that exits without ending MPI (``os._exit``, a library's ``exit``) is presented as killed,
because Open MPI reports only deaths by a signal to the others, which would otherwise wait.

It runs as ``python rank_supervisor.py PROGRAM ARGUMENTS...`` and needs only the standard library.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import re
import signal
import sys
from contextlib import suppress
from typing import NamedTuple

_REPORT = re.compile(
    r"^rank (\d+) on (\S+), process (\d+), "
    r"(?:was ended by signal (\d+)[^\n]*|left with exit status (\d+)( early)?)\n",
    re.MULTILINE,
)
_PR_SET_PDEATHSIG = 1
# Holds the rank's end of a pipe, through which it sends these marks to its supervisor.
_PIPE = "MATEXAPPS_SUPERVISOR"
_MPI_STARTED, _ORDERLY_EXIT = b"s", b"o"


class RankExit(NamedTuple):
    """How a rank ended.

    Attributes
    ----------
    rank : int
    host : str
    pid : int
        Its process number.
    status : int
        Its exit status; below 0, the negative number of the signal that ended it.
    early : bool
        Whether it exited without ending Python and MPI, as with ``os._exit``.
    """

    rank: int
    host: str
    pid: int
    status: int
    early: bool = False

    def __str__(self) -> str:
        how = f"left with exit status {self.status}{' early' if self.early else ''}"
        if self.status < 0:
            how = f"was ended by signal {-self.status} ({signal.strsignal(-self.status)})"
        return f"rank {self.rank} on {self.host}, process {self.pid}, {how}"


def parse_exits(text: str) -> list[RankExit]:
    """Return the exits that supervisors report in a text, in their order."""
    return [
        RankExit(int(rank), host, int(pid), -int(number) if number else int(status), bool(early))
        for rank, host, pid, number, status, early in _REPORT.findall(text)
    ]


def strip_exits(text: str, only_orderly: bool) -> str:
    """Return a text without the reports of supervisors.

    Parameters
    ----------
    text : str
    only_orderly : bool
        Whether to remove only reports of ranks that exited in order, and so have printed a reason.
    """

    def keep(report: re.Match[str]) -> str:
        signaled, early = report[4], report[6]
        return report[0] if only_orderly and (signaled or early) else ""

    return _REPORT.sub(keep, text)


def supervised(command: list[str]) -> list[str]:
    """Return a command line that runs ``command`` under a supervisor."""
    # Without site packages it starts faster.
    return [sys.executable, "-I", "-S", __file__, *command]


def notify_supervisor() -> bool:
    """Tell this rank's supervisor that MPI has started and, at its end, that Python ends in order.

    Returns
    -------
    bool
        Whether there is a supervisor.
    """
    # Programs that this one starts have no supervisor.
    pipe = os.environ.pop(_PIPE, None)
    if pipe is None:
        return False
    os.write(int(pipe), _MPI_STARTED)
    atexit.register(os.write, int(pipe), _ORDERLY_EXIT)
    return True


def main() -> None:
    """Run the program in the arguments, and end as it ends."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # matexapps.launch.job blocks signals in launchers, and MPICH's passes that on.
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.set_inheritable(write_end, True)
        os.execve(sys.argv[1], sys.argv[1:], {**os.environ, _PIPE: str(write_end)})
    # An interrupt reaches both processes; the rank decides what to do about it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.set_blocking(read_end, False)
    marks = b""
    with suppress(BlockingIOError):
        marks = os.read(read_end, len(_MPI_STARTED + _ORDERLY_EXIT))
    early = status >= 0 and marks == _MPI_STARTED
    if status == 0 and not early:
        return
    rank = os.environ.get("PMI_RANK") or os.environ["OMPI_COMM_WORLD_RANK"]
    exit_report = RankExit(int(rank), os.uname().nodename, pid, status, early)
    # In a single write, so that the line stays in one piece.
    os.write(sys.stderr.fileno(), f"{exit_report}\n".encode())
    if status < 0 or early:
        # MPICH's launcher ends ranks that are still starting MPI only after a death by a signal.
        os.kill(os.getpid(), signal.SIGKILL)
    sys.exit(status)


if __name__ == "__main__":
    main()
