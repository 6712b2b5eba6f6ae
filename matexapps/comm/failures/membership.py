"""The ranks that are present: those of MPI's world, without the ones that have failed.

If the launcher was started with ``--with-ft ulfm``, Open MPI reports the death of a rank to the
others instead of ending them (User-Level Fault Mitigation, the MPI Forum's ULFM chapter). All
communicators of this package are duplicates of that of one membership. After a failure the
survivors form a new one.
"""

from __future__ import annotations

import atexit
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from mpi4py import MPI

from matexapps.comm.failures.policy import fault_tolerance_enabled

_PROBE, _ANSWER = 1, 2


@dataclass(frozen=True)
class Member:
    """One rank of a membership.

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


class Membership:
    """A set of ranks and their processes.

    Parameters
    ----------
    comm : MPI.Intracomm
        Used for nothing but making other communicators.
    generation : int
        How often failed ranks have been replaced.

    Attributes
    ----------
    members : list of Member
        Empty until the first communicator is opened.
    liveness_comm : MPI.Intracomm or None
        Carries probes of liveness and the answers, and nothing else. None as long as ``members``
        is empty.
    """

    def __init__(self, comm: MPI.Intracomm, generation: int = 0) -> None:
        self.comm = comm
        self.members: list[Member] = []
        self.liveness_comm: MPI.Intracomm | None = None
        self.generation = generation

    @property
    def revoked(self) -> bool:
        """Whether some rank has noticed a failure."""
        return bool(self.comm.Is_revoked())

    def is_rank_failure(self, error: MPI.Exception) -> bool:
        """Whether an error of MPI means that a rank has failed."""
        if not fault_tolerance_enabled():
            return False
        names = ("ERR_PROC_FAILED", "ERR_PROC_FAILED_PENDING", "ERR_REVOKED")
        if error.Get_error_class() in {getattr(MPI, name, None) for name in names}:
            return True
        # Open MPI 5.0 reports an internal error if a rank dies while others duplicate.
        return self.revoked or bool(self.comm.Get_failed().size)

    def probe_liveness(self) -> set[int]:
        """Ask every other rank for a sign of life, and return these ranks. Not collective."""
        others = set(range(self.comm.size)) - {self.comm.rank}
        for rank in others:
            self._send(rank, _PROBE)
        return others

    def answer_probes(self) -> None:
        """Answer the ranks that probe this one. Not collective; waiting ranks call it regularly."""
        for rank in self._receive(_PROBE):
            self._send(rank, _ANSWER)

    def receive_answers(self) -> set[int]:
        """Return the ranks whose answers have arrived since the last call."""
        return set(self._receive(_ANSWER))

    def kill_local(self, ranks: set[int]) -> set[int]:
        """Kill those of ``ranks`` that run on this host; return them."""
        members = [member for member in self._local_members() if member.rank in ranks]
        for member in members:
            # Another rank may have killed it first.
            with suppress(ProcessLookupError):
                os.kill(member.pid, signal.SIGKILL)
        return {member.rank for member in members}

    def exited_locally(self) -> list[Member]:
        """Return the ranks of this host whose processes no longer exist."""
        return [member for member in self._local_members() if not _exists(member.pid)]

    def abort_at_exit(self) -> None:
        """Make MPI end all ranks when this one exits: it would wait for those that are gone."""
        atexit.register(self.comm.Abort, 1)

    def _send(self, rank: int, tag: int) -> None:
        assert self.liveness_comm is not None
        self.liveness_comm.isend(None, dest=rank, tag=tag).Free()

    def _receive(self, tag: int) -> Iterator[int]:
        comm, status = self.liveness_comm, MPI.Status()
        while comm is not None and comm.Iprobe(MPI.ANY_SOURCE, tag, status):
            comm.recv(source=status.source, tag=tag)
            yield status.source

    def _local_members(self) -> list[Member]:
        return [m for m in self.members if m.host == self.members[self.comm.rank].host]


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
