"""One rank's program, watched: if it fails, the watcher says which rank it was and how it ended.

For launchers that do not say so: MPICH's ends all ranks when one dies, and reports whichever
process it then finds first. The watcher shares the rank's connection to the launcher, so the
launcher notices nothing before the watcher has spoken.

Run it as ``python watched_rank.py program arguments...``; Python's own library is all it needs.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import sys
from typing import NamedTuple

_SAID = re.compile(
    r"^rank (\d+) on (\S+), process (\d+), "
    r"(?:was ended by signal (\d+)[^\n]*|left with exit status (\d+))\n",
    re.MULTILINE,
)
_PR_SET_PDEATHSIG = 1


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
    """

    rank: int
    host: str
    pid: int
    status: int

    def __str__(self) -> str:
        how = f"left with exit status {self.status}"
        if self.status < 0:
            how = f"was ended by signal {-self.status} ({signal.strsignal(-self.status)})"
        return f"rank {self.rank} on {self.host}, process {self.pid}, {how}"


def ends(text: str) -> list[End]:
    """Return what watchers have said, in the order in which they said it."""
    return [
        End(int(rank), host, int(pid), -int(number) if number else int(status))
        for rank, host, pid, number, status in _SAID.findall(text)
    ]


def without_exits(text: str) -> str:
    """Leave out what watchers have said of ranks that left by themselves, and so have said why."""
    return _SAID.sub(lambda said: said[0] if said[4] else "", text)


def main() -> None:
    """Run the program that the arguments name, and end as it ends."""
    pid = os.fork()
    if pid == 0:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.execv(sys.argv[1], sys.argv[1:])
    # An interrupt goes to both; the rank decides what comes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status == 0:
        return
    end = End(int(os.environ["PMI_RANK"]), os.uname().nodename, pid, status)
    # At once, so that the line stays whole.
    os.write(sys.stderr.fileno(), f"{end}\n".encode())
    if status < 0:
        # Only a death by a signal makes the launcher end ranks that are still starting MPI.
        os.kill(os.getpid(), signal.SIGKILL)
    sys.exit(status)


if __name__ == "__main__":
    main()
