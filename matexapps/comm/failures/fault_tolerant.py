"""Work that goes on when ranks die: the survivors shrink the world and do it again.

Described as "shrink" recovery for deep learning by Amatya, Vishnu, Siegel and Daily (EuroMPI 2017,
arXiv:1709.03316): every rank holds the whole model, so whoever is left can go on.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TypeVar

from matexapps.comm.communicator import Communicator
from matexapps.comm.failures.restarts import restarts
from matexapps.comm.world import prepared_for_failures, shrink_world
from matexapps.errors import RankFailureError

T = TypeVar("T")


@dataclass(frozen=True)
class RankFailure:
    """Ranks that were lost together, or so soon one after another that it was one recovery.

    Attributes
    ----------
    ranks : tuple of (int, str)
        The number that each had when it was lost, and its host.
    world_size : int
        How many ranks there were before.
    """

    ranks: tuple[tuple[int, str], ...]
    world_size: int


def run_fault_tolerant(comm: Communicator, work: Callable[[RankFailure | None], T]) -> T:
    """Do ``work``, and do it again on the ranks that are left when some are lost. Collective.

    Every surviving rank leaves this together: all have done the work, or all do it again.

    Parameters
    ----------
    comm : Communicator
        Is opened again, in place, over the ranks that are left.
    work : callable
        Takes what was lost since it was last called, None at first. It must be fit to be begun
        anew after it was broken off by a RankFailureError in any of its collectives.

    Raises
    ------
    RankFailureError
        Where a loss makes all ranks start again: see :mod:`matexapps.comm.failures.reinit`.

    Returns
    -------
    What ``work`` returns.
    """
    loss: RankFailure | None = None
    with prepared_for_failures() if comm.fault_tolerant else nullcontext():
        while True:
            before = comm.world_size
            try:
                with comm.failures_expected():
                    result = work(loss)
                    comm.confirm_success()
                return result
            except RankFailureError:
                if restarts():
                    raise
                lost = shrink_world(comm.timeout_s)
                loss = RankFailure(tuple((member.rank, member.host) for member in lost), before)
