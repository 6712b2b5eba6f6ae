"""The ranks that are there: those of MPI's world, less the ones that were lost.

Where the launcher was started with ``--with-ft ulfm``, Open MPI reports the death of a rank to the
others in place of ending them (User-Level Fault Mitigation, MPI Forum's ULFM chapter). All
communicators of this package are duplicates of one base; after a loss the survivors' base takes
its place.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from matexapps.errors import RankFailureError
from matexapps.launch.rank_supervisor import tell_watcher, watched

# A launcher that was asked for fault tolerance tells the ranks so.
_SWITCH = "OMPI_MCA_mpi_ft_enable"
# What a rank that was started in place of a lost one finds on its command line, after -X.
_REPLACEMENT = "matexapps_replacement"
_LONGEST_START_S = 300
if os.environ.get(_SWITCH):
    # Where ranks are gone, MPI_Finalize may wait for them for ever, unless told not to wait.
    os.environ.setdefault("OMPI_MCA_async_mpi_finalize", "1")
    # While MPI starts nobody tells of a death, and nothing but a signal ends the wait for the dead.
    signal.alarm(_LONGEST_START_S)

from mpi4py import MPI  # noqa: E402

_watched = tell_watcher()
# Not the world that matexapps.comm.interruptible may put in its place.
_first = MPI.COMM_WORLD
if _REPLACEMENT in sys._xoptions:
    _parent = MPI.Comm.Get_parent()
    _first = _parent.Merge(high=True)
    _first.Set_errhandler(MPI.ERRORS_RETURN)
    # At its end MPI would wait for all that it is still connected with, the dead too.
    _parent.Disconnect()

if os.environ.get(_SWITCH):
    signal.alarm(0)

if TYPE_CHECKING:
    from matexapps.comm.waiting import Waiting

_CALL, _ANSWER = 1, 2


@dataclass(frozen=True)
class Member:
    """One rank of a base.

    Attributes
    ----------
    rank : int
    host : str
    pid : int
        Its process number on that host.
    """

    rank: int
    host: str
    pid: int


class Base:
    """A set of ranks, and who they are.

    Parameters
    ----------
    comm : MPI.Intracomm
        Nothing runs on it but what makes other communicators.

    Attributes
    ----------
    members : list of Member
        Empty until the first communicator was opened.
    roll : MPI.Intracomm or None
        Carries calls of the roll and answers, and nothing else.
    generation : int
        How often ranks have been started in place of lost ones.
    """

    def __init__(self, comm: MPI.Intracomm) -> None:
        self.comm = comm
        self.members: list[Member] = []
        self.roll: MPI.Intracomm | None = None
        self.generation = 0

    @property
    def revoked(self) -> bool:
        """Whether some rank has noticed a loss."""
        return bool(self.comm.Is_revoked())

    def reports_failures(self, error: MPI.Exception) -> bool:
        """Whether an error of MPI means that a rank is gone."""
        names = ("ERR_PROC_FAILED", "ERR_PROC_FAILED_PENDING", "ERR_REVOKED")
        if error.Get_error_class() in {getattr(MPI, name, None) for name in names}:
            return True
        # Open MPI 5.0 calls it an internal error when a rank dies while others duplicate.
        return fault_tolerant() and (self.revoked or bool(self.comm.Get_failed().size))

    def answer(self) -> None:
        """Answer whoever calls the roll. Not collective; ranks that wait do it now and then."""
        for caller in self._received(_CALL):
            self._say(caller, _ANSWER)

    def probe_liveness(self) -> set[int]:
        """Ask every other rank for a sign of life; return them. Not collective."""
        others = set(range(self.comm.size)) - {self.comm.rank}
        for rank in others:
            self._say(rank, _CALL)
        return others

    def answered(self) -> set[int]:
        """Return the ranks whose answers have come in since the last time."""
        return set(self._received(_ANSWER))

    def _say(self, rank: int, what: int) -> None:
        assert self.roll is not None
        self.roll.isend(None, dest=rank, tag=what).Free()

    def _received(self, what: int) -> Iterator[int]:
        roll, status = self.roll, MPI.Status()
        while roll is not None and roll.Iprobe(MPI.ANY_SOURCE, what, status):
            roll.recv(source=status.source, tag=what)
            yield status.source

    def end(self, ranks: set[int]) -> set[int]:
        """End the processes of those of ``ranks`` that are on this host; return these."""
        members = [member for member in self._neighbors if member.rank in ranks]
        for member in members:
            # Others may have done it.
            with suppress(ProcessLookupError):
                os.kill(member.pid, signal.SIGKILL)
        return {member.rank for member in members}

    def gone(self) -> list[str]:
        """Return the ranks on this host that have no process any more, in words."""
        return [
            f"rank {member.rank} on {member.host}"
            for member in self._neighbors
            if not _exists(member.pid)
        ]

    def end_all_at_exit(self) -> None:
        """Have MPI end all ranks when this one leaves: it would wait for those that are gone."""
        atexit.register(self.comm.Abort, 1)

    @property
    def _neighbors(self) -> list[Member]:
        return [m for m in self.members if m.host == self.members[self.comm.rank].host]


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@cache
def fault_tolerant() -> bool:
    """Whether MPI lets ranks go on after the death of one."""
    return os.environ.get(_SWITCH, "").lower() in ("1", "true", "yes")


_base = Base(_first)


def base() -> Base:
    """Return the ranks that are there."""
    return _base


def started_with() -> int:
    """Return how many ranks there were at first."""
    return _first.size


def _come_together(comm: MPI.Intracomm, waiting: Waiting) -> None:
    """Return once every rank that lives is here: what blocks is safe then."""
    with suppress(RankFailureError):
        waiting.run("going on without lost ranks", comm.Iagree, np.ones(1, np.int32))


def shrink(waiting: Waiting) -> list[Member]:
    """Go on without the ranks that are dead; return them. Collective over the others.

    Parameters
    ----------
    waiting : Waiting
        Of the present base, after a loss.

    Raises
    ------
    RankFailureError
        If another one dies meanwhile.
    """
    global _base
    old = _base
    old.comm.Revoke()
    _come_together(old.comm, waiting)
    # Open MPI 5.0's nonblocking one fails with an internal error.
    shrunk = MPI.Intracomm(old.comm.Shrink())
    shrunk.Set_errhandler(MPI.ERRORS_RETURN)
    numbers = list(range(old.comm.size))
    kept = old.comm.group.Translate_ranks(numbers, shrunk.group)
    lost = [rank for rank, now in zip(numbers, kept, strict=True) if now == MPI.UNDEFINED]
    if old.roll is not None:
        old.roll.Free()
    if old.comm is not _first:
        old.comm.Free()
    _base = Base(shrunk)
    _base.generation = old.generation
    known = old.members or [Member(rank, "an unknown host", 0) for rank in numbers]
    return [known[rank] for rank in lost]


def replace(count: int) -> None:
    """Start ranks in place of ``count`` lost ones, with this rank's command line. Collective.

    They come after the others, and begin the program from its first line.

    Raises
    ------
    RankFailureError
        If another one dies meanwhile.
    """
    global _base
    arguments = [argument for argument in sys.orig_argv[1:] if argument != f"-X{_REPLACEMENT}"]
    command = [sys.executable, f"-X{_REPLACEMENT}", *arguments]
    program, *arguments = watched(command) if _watched else command
    try:
        new = _base.comm.Spawn(program, arguments, maxprocs=count)
        merged = new.Merge(high=False)
        new.Disconnect()
    except MPI.Exception as error:
        raise RankFailureError("a rank was lost while others were started anew") from error
    merged.Set_errhandler(MPI.ERRORS_RETURN)
    generation = _base.generation + 1
    _base.comm.Free()
    _base = Base(merged)
    _base.generation = generation
