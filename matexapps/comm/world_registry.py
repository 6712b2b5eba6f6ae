"""The communicators over MPI that this process has, and their renewal after a failure."""

from __future__ import annotations

from contextlib import suppress
from typing import TypeVar
from weakref import WeakValueDictionary

from matexapps.comm.failures.membership import Member
from matexapps.comm.failures.policy import (
    announce_fault_tolerance,
    fault_tolerance_enabled,
    reinit_enabled,
)
from matexapps.comm.failures.runtime import runtime
from matexapps.comm.interruptible import InterruptibleWorld, make_world_interruptible
from matexapps.comm.mpi import MpiCommunicator
from matexapps.comm.waiting import Waiting
from matexapps.errors import RankFailureError
from matexapps.progress import report

_RENEWAL_TIMEOUT_S = 30.0
_World = TypeVar("_World", MpiCommunicator, InterruptibleWorld)


class WorldRegistry:
    """Communicators over all ranks, numbered in the order in which they were opened.

    The order is the same on all ranks, so a number means the same communicator everywhere. The
    registry does not keep communicators alive.
    """

    def __init__(self) -> None:
        self._worlds: WeakValueDictionary[int, MpiCommunicator | InterruptibleWorld]
        self._worlds = WeakValueDictionary()
        self._next_number = 0

    @property
    def initial_size(self) -> int:
        """How many ranks there were at first."""
        return runtime.initial_size

    def open(self, timeout_s: float, check: bool) -> MpiCommunicator:
        """Open a communicator over all ranks that are present. Collective.

        Parameters
        ----------
        timeout_s, check
            As for :func:`matexapps.comm.world.open_world`.
        """
        world = self._open_tolerantly if fault_tolerance_enabled() else MpiCommunicator
        return self._add(world(timeout_s, check))

    def make_user_world_interruptible(self) -> None:
        """Replace ``MPI.COMM_WORLD`` by an interruptible communicator. Collective."""
        self._add(make_world_interruptible())

    def number_of(self, world: MpiCommunicator) -> int:
        """Return the number of a communicator."""
        return next(number for number, other in self._worlds.items() if other is world)

    def recreate(self, number: int, timeout_s: float, check: bool) -> MpiCommunicator:
        """Return the communicator of a number, which other processes had opened.

        It is broken until :meth:`renew` opens it over all ranks that have it.
        """
        world = self._worlds.get(number)
        if not isinstance(world, MpiCommunicator):
            world = MpiCommunicator.unopened(timeout_s, check)
            self._worlds[number] = world
            self._next_number = max(self._next_number, number + 1)
        return world

    def renew(self, only_broken: bool = True) -> None:
        """Open communicators again, in place. Collective.

        Parameters
        ----------
        only_broken : bool
            Whether to leave alone those that are broken on no rank.
        """
        with MpiCommunicator(_RENEWAL_TIMEOUT_S, check=False) as comm:
            wanted = {
                number: world.broken or not only_broken
                for number, world in self._worlds.items()
                if not world.closed
            }
            # Interrupted work may have opened one more on some ranks than on others.
            all_ranks = comm.all_gather_object((wanted, self._next_number))
        self._next_number = max(next_number for _, next_number in all_ranks)
        on_all_ranks = set.intersection(*(set(wanted) for wanted, _ in all_ranks))
        for number in sorted(on_all_ranks):
            if any(wanted[number] for wanted, _ in all_ranks):
                self._worlds[number].renew()

    def shrink_world(self, timeout_s: float) -> list[Member]:
        """Continue without the ranks that have failed. Collective over the others.

        All communicators are opened again, in place, over the survivors, which get new numbers in
        the same order.

        Parameters
        ----------
        timeout_s : float
            How long the others may take to notice the failure.

        Returns
        -------
        list of Member
            The failed ranks, by their old numbers.
        """
        failed: list[Member] = []
        while True:
            for world in list(self._worlds.values()):
                world.revoke()
            try:
                failed += _drop_failed_ranks(timeout_s)
                self.renew(only_broken=False)
                membership = runtime.membership
                Waiting(timeout_s, membership).agree(membership.comm, "the end of the recovery")
            except RankFailureError:
                continue
            report({"kind": "shrunk", "failed": len(failed)})
            return failed

    def replace_failed_ranks(self, timeout_s: float) -> list[Member]:
        """Start new ranks in place of those that have failed. Collective over the others.

        All communicators are closed. The new ranks run the program from its first line, and their
        numbers follow those of the others.

        Parameters
        ----------
        timeout_s : float
            How long the others may take to notice the failure.

        Returns
        -------
        list of Member
            The failed ranks, by their old numbers.
        """
        failed: list[Member] = []
        for world in list(self._worlds.values()):
            world.revoke()
            world.free()
        self._worlds.clear()
        self._next_number = 0
        while True:
            try:
                failed += _drop_failed_ranks(timeout_s)
                runtime.spawn_replacements()
            except RankFailureError:
                continue
            return failed

    def _open_tolerantly(self, timeout_s: float, check: bool) -> MpiCommunicator:
        with announce_fault_tolerance():
            while True:
                try:
                    world = MpiCommunicator(timeout_s, check)
                    world.confirm_success()
                    return world
                except RankFailureError:
                    if reinit_enabled():
                        raise
                    self.shrink_world(timeout_s)

    def _add(self, world: _World) -> _World:
        self._worlds[self._next_number] = world
        self._next_number += 1
        return world


def _drop_failed_ranks(timeout_s: float) -> list[Member]:
    membership = runtime.membership
    membership.comm.Revoke()
    # What follows blocks, which is safe once every rank that lives is here.
    with suppress(RankFailureError):
        waiting = Waiting(timeout_s, membership, after_failure=True)
        waiting.agree(membership.comm, "the recovery from a rank failure")
    return runtime.drop_failed_ranks()
