"""One rank's program, watched: if it fails, the watcher says which rank it was and how it ended.

For launchers that do not say so: MPICH's ends all ranks when one dies, and reports whichever
process it then finds first; Open MPI's does not tell a rank that left early, and said nothing, from
one that said why it left. The watcher shares the rank's connection to the launcher, so the
launcher notices nothing before the watcher has spoken.

A rank that leaves without ending MPI (``os._exit``, a library's ``exit``) is passed off as one that
was killed: Open MPI tells the others of a death by a signal alone, and otherwise they would wait.

Run it as ``python watched_rank.py program arguments...``; Python's own library is all it needs.
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

_SAID = re.compile(
    r"^rank (\d+) on (\S+), process (\d+), "
    r"(?:was ended by signal (\d+)[^\n]*|left with exit status (\d+)( early)?)\n",
    re.MULTILINE,
)
_PR_SET_PDEATHSIG = 1
_PIPE = "MATEXAPPS_WATCHER"
_BEGUN, _IN_ORDER = b"b", b"o"


class End(NamedTuple):
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
        Whether it left by itself without ending Python and MPI, as with ``os._exit``.
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


def ends(text: str) -> list[End]:
    """Return what watchers have said, in the order in which they said it."""
    return [
        End(int(rank), host, int(pid), -int(number) if number else int(status), bool(early))
        for rank, host, pid, number, status, early in _SAID.findall(text)
    ]


def without_ends(text: str, exits_alone: bool = True) -> str:
    """Leave out what watchers have said.

    Parameters
    ----------
    text : str
    exits_alone : bool
        Leave out only what they have said of ranks that left in order, and so have said why.
    """
    return _SAID.sub(lambda said: said[0] if exits_alone and (said[4] or said[6]) else "", text)


def supervised(command: list[str]) -> list[str]:
    """Return a command line that runs ``command`` watched; without site packages, at once."""
    return [sys.executable, "-I", "-S", __file__, *command]


def notify_supervisor() -> bool:
    """Tell this rank's watcher that MPI is in use, and, when Python ends, that it leaves in order.

    Returns
    -------
    bool
        Whether there is a watcher.
    """
    # Other programs that this one starts have none.
    pipe = os.environ.pop(_PIPE, None)
    if pipe is None:
        return False
    os.write(int(pipe), _BEGUN)
    atexit.register(os.write, int(pipe), _IN_ORDER)
    return True


def main() -> None:
    """Run the program that the arguments name, and end as it ends."""
    heard, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # What matexapps.launch.job has launchers block, MPICH's hands on.
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.set_inheritable(told, True)
        os.execve(sys.argv[1], sys.argv[1:], {**os.environ, _PIPE: str(told)})
    # An interrupt goes to both; the rank decides what comes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.set_blocking(heard, False)
    marks = b""
    with suppress(BlockingIOError):
        marks = os.read(heard, len(_BEGUN + _IN_ORDER))
    early = status >= 0 and marks == _BEGUN
    if status == 0 and not early:
        return
    rank = os.environ.get("PMI_RANK") or os.environ["OMPI_COMM_WORLD_RANK"]
    end = End(int(rank), os.uname().nodename, pid, status, early)
    # At once, so that the line stays whole.
    os.write(sys.stderr.fileno(), f"{end}\n".encode())
    if status < 0 or early:
        # Only a death by a signal makes MPICH's launcher end ranks that are still starting MPI.
        os.kill(os.getpid(), signal.SIGKILL)
    sys.exit(status)


if __name__ == "__main__":
    main()
