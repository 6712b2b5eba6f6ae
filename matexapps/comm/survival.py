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
from matexapps.comm.restarts import restarts
from matexapps.comm.world import go_on_without_the_lost, prepared_for_losses
from matexapps.errors import RankLost

T = TypeVar("T")


@dataclass(frozen=True)
class Loss:
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


def survive(comm: Communicator, work: Callable[[Loss | None], T]) -> T:
    """Do ``work``, and do it again on the ranks that are left when some are lost. Collective.

    Every surviving rank leaves this together: all have done the work, or all do it again.

    Parameters
    ----------
    comm : Communicator
        Is opened again, in place, over the ranks that are left.
    work : callable
        Takes what was lost since it was last called, None at first. It must be fit to be begun
        anew after it was broken off by a RankLost in any of its collectives.

    Raises
    ------
    RankLost
        Where a loss makes all ranks start again: see :mod:`matexapps.comm.reinit`.

    Returns
    -------
    What ``work`` returns.
    """
    loss: Loss | None = None
    with prepared_for_losses() if comm.outlives_ranks else nullcontext():
        while True:
            before = comm.world_size
            try:
                with comm.losses_expected():
                    result = work(loss)
                    comm.agree_that_all_is_well()
                return result
            except RankLost:
                if restarts():
                    raise
                lost = go_on_without_the_lost(comm.timeout_s)
                loss = Loss(tuple((member.rank, member.host) for member in lost), before)
