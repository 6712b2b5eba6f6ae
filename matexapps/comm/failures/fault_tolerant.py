"""Work that continues when ranks fail: the survivors shrink the world and do it again.

Described as "shrink" recovery for deep learning by Amatya, Vishnu, Siegel and Daily (EuroMPI 2017,
arXiv:1709.03316): every rank holds the whole model, so any ranks that are left can continue.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeVar

from matexapps.comm.communicator import Communicator
from matexapps.comm.failures.policy import announce_fault_tolerance, reinit_enabled
from matexapps.comm.world import world_registry
from matexapps.errors import RankFailureError

if TYPE_CHECKING:
    from matexapps.comm.failures.membership import Member

T = TypeVar("T")


@dataclass(frozen=True)
class RankFailure:
    """Ranks that failed together, or so soon after one another that one recovery covers them.

    Attributes
    ----------
    ranks : tuple of (int, str)
        Each one's number when it failed, and its host.
    world_size : int
        How many ranks there were before.
    """

    ranks: tuple[tuple[int, str], ...]
    world_size: int

    @classmethod
    def of_members(cls, members: Sequence[Member], world_size: int) -> Self:
        """Return the failure of some members of a world."""
        return cls(tuple((member.rank, member.host) for member in members), world_size)


def run_fault_tolerant(comm: Communicator, work: Callable[[RankFailure | None], T]) -> T:
    """Do ``work``; if ranks fail, do it again on the ranks that are left. Collective.

    All surviving ranks leave together: either all have done the work, or all do it again.

    Parameters
    ----------
    comm : Communicator
        After a failure it is opened again, in place, over the ranks that are left.
    work : callable
        Takes the failure since its last call, None in the first one. It must allow being started
        again after a ``RankFailureError`` has ended it in any of its collectives.

    Raises
    ------
    RankFailureError
        If a failure makes all ranks restart: see :mod:`matexapps.comm.failures.reinit`.

    Returns
    -------
    What ``work`` returns.
    """
    failure: RankFailure | None = None
    with announce_fault_tolerance() if comm.fault_tolerant else nullcontext():
        while True:
            world_size = comm.world_size
            try:
                with comm.killing_unresponsive_ranks():
                    result = work(failure)
                    comm.confirm_success()
                return result
            except RankFailureError:
                if reinit_enabled():
                    raise
                failed = world_registry().shrink_world(comm.timeout_s)
                failure = RankFailure.of_members(failed, world_size)
