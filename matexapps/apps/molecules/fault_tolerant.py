"""Work other than training that continues when ranks are lost, and reports it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from matexapps import progress
from matexapps.comm.communicator import Communicator
from matexapps.comm.failures.fault_tolerant import RankFailure, run_fault_tolerant
from matexapps.train.state.recovery import event_of

T = TypeVar("T")


def run_reporting_failures(comm: Communicator, when: str, work: Callable[[], T]) -> T:
    """Call ``work``, and call it again on the remaining ranks when some are lost. Collective.

    Parameters
    ----------
    comm : Communicator
    when : str
        For the report of a rank failure, as in "in the campaign".
    work : callable
        As for :func:`~matexapps.comm.failures.fault_tolerant.run_fault_tolerant`.
    """

    def attempt(failure: RankFailure | None) -> T:
        if failure is not None:
            event = event_of(failure, comm.world_size, when)
            progress.report({"kind": "rank_failure", "rank": comm.rank, **event})
        return work()

    return run_fault_tolerant(comm, attempt)
