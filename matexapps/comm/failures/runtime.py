"""MPI in this process: its start, and the ranks that are present, now and at first.

Import it inside :func:`matexapps.comm.failures.policy.starting_mpi`.
"""

from __future__ import annotations

import sys

from mpi4py import MPI

from matexapps.comm.failures.membership import Member, Membership
from matexapps.errors import RankFailureError
from matexapps.launch.rank_supervisor import notify_supervisor, supervised

# A rank that was started to replace a failed one finds this on its command line, after -X.
_REPLACEMENT = "matexapps_replacement"


class MpiRuntime:
    """The MPI job, as this process takes part in it.

    Attributes
    ----------
    membership : Membership
        The ranks that are present.
    """

    def __init__(self) -> None:
        self._is_supervised = notify_supervisor()
        # MPI.COMM_WORLD itself: matexapps.comm.interruptible may later replace that name.
        self._initial = _merge_into_world() if _REPLACEMENT in sys._xoptions else MPI.COMM_WORLD
        self.membership = Membership(self._initial)

    @property
    def initial_size(self) -> int:
        """How many ranks there were at first."""
        return int(self._initial.size)

    def drop_failed_ranks(self) -> list[Member]:
        """Continue with a membership of the survivors; return the failed. Collective over them.

        Raises
        ------
        RankFailureError
            If another rank fails during the call.
        """
        old = self.membership
        # Its nonblocking twin fails with an internal error in Open MPI 5.0.
        survivors = MPI.Intracomm(old.comm.Shrink())
        survivors.Set_errhandler(MPI.ERRORS_RETURN)
        old_ranks = list(range(old.comm.size))
        new_ranks = old.comm.group.Translate_ranks(old_ranks, survivors.group)
        members = old.members or [Member(rank, "an unknown host", 0) for rank in old_ranks]
        if old.liveness_comm is not None:
            old.liveness_comm.Free()
        if old.comm is not self._initial:
            old.comm.Free()
        self.membership = Membership(survivors, old.generation)
        return [
            member
            for member, new_rank in zip(members, new_ranks, strict=True)
            if new_rank == MPI.UNDEFINED
        ]

    def spawn_replacements(self) -> None:
        """Start as many ranks as have failed, with this rank's command line. Collective.

        They run the program from its first line, and their numbers follow those of the others.

        Raises
        ------
        RankFailureError
            If another rank fails during the call.
        """
        comm = self.membership.comm
        arguments = [argument for argument in sys.orig_argv[1:] if argument != f"-X{_REPLACEMENT}"]
        command = [sys.executable, f"-X{_REPLACEMENT}", *arguments]
        program, *arguments = supervised(command) if self._is_supervised else command
        try:
            children = comm.Spawn(program, arguments, maxprocs=self.initial_size - comm.size)
            merged = children.Merge(high=False)
            children.Disconnect()
        except MPI.Exception as error:
            raise RankFailureError("a rank failed while others were being replaced") from error
        merged.Set_errhandler(MPI.ERRORS_RETURN)
        comm.Free()
        self.membership = Membership(merged, self.membership.generation + 1)


def _merge_into_world() -> MPI.Intracomm:
    parents = MPI.Comm.Get_parent()
    merged = parents.Merge(high=True)
    merged.Set_errhandler(MPI.ERRORS_RETURN)
    # When it ends, MPI waits for every rank it is still connected to, the failed ones too.
    parents.Disconnect()
    return merged


runtime = MpiRuntime()
"""The only instance: there is one MPI job for each process."""
