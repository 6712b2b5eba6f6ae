"""Work other than training that goes on without ranks that are lost, and says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from matexapps import progress
from matexapps.comm.communicator import Communicator
from matexapps.comm.failures.fault_tolerant import RankFailure, run_fault_tolerant
from matexapps.train.state.recovery import event_of

T = TypeVar("T")


def go_on(comm: Communicator, when: str, work: Callable[[], T]) -> T:
    """Do ``work``, and do it again on the ranks that are left when some are lost. Collective.

    Parameters
    ----------
    comm : Communicator
    when : str
        For the report of a loss, as in "in the campaign".
    work : callable
        As for :func:`~matexapps.comm.failures.fault_tolerant.run_fault_tolerant`.
    """

    def again(loss: RankFailure | None) -> T:
        if loss is not None:
            event = event_of(loss, comm.world_size, when)
            progress.report({"kind": "loss", "rank": comm.rank, **event})
        return work()

    return run_fault_tolerant(comm, again)
