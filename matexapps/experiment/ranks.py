"""The ranks of an experiment, as a domain sees them: work on rank 0, and work shared out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import copy_context
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from matexapps import progress
from matexapps.comm.communicator import Communicator
from matexapps.comm.failures.fault_tolerant import RankFailure, run_fault_tolerant
from matexapps.comm.single import SingleProcess
from matexapps.data.dataset import DataSet
from matexapps.data.partition import share_by_work
from matexapps.train.state.recovery import event_of

T = TypeVar("T")
Item = TypeVar("Item")

LONGEST_WAIT_S = 86_400.0
"""How long ranks wait for each other, in seconds: reading and baselines may take their time."""

_REPORT_EVERY_S = 0.5
_SIGN_EVERY_S = 20.0
_BUSY = 0.1
"""Share of the time for which a process that computes has the processor at least."""


class Ranks:
    """All ranks of an experiment. Every method is collective.

    Parameters
    ----------
    comm : Communicator

    Attributes
    ----------
    rank, world_size : int
        This rank's number, from 0, and how many ranks there are.
    comm : Communicator
        For the modules of an experiment; a domain needs none.
    """

    def __init__(self, comm: Communicator) -> None:
        self.comm = comm

    @classmethod
    def single(cls) -> Ranks:
        """Return this process as the only rank."""
        return cls(SingleProcess())

    @property
    def rank(self) -> int:
        return self.comm.rank

    @property
    def world_size(self) -> int:
        return self.comm.world_size

    def on_root(self, work: Callable[[], T]) -> T:
        """Do ``work`` on rank 0 alone; its result, or its exception, reaches every rank."""
        return self.comm.on_root(work)

    def on_all(self, work: Callable[[], T]) -> T:
        """Do ``work`` on every rank; if it raises on some, all raise what the lowest raised."""
        return self.comm.on_all(work)

    def gather(self, value: T) -> list[T]:
        """Return every rank's ``value``, in rank order, on every rank."""
        return self.comm.all_gather_object(value)

    def gather_rows(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Return the rows of every rank's array, first axis rows, in rank order, on every rank."""
        return self.comm.all_gather_rows(np.ascontiguousarray(rows))

    def load(self, data: DataSet) -> DataSet:
        """Read a data set, unless that is done already; the ranks share the reading.

        Raises
        ------
        DataError
            If it cannot be used.
        """
        return data.load(self.comm)

    def map(
        self,
        work: Callable[[Item], T],
        items: Sequence[Item],
        *,
        effort: Sequence[int] | None = None,
        doing: str = "",
        unit: str = "items",
    ) -> list[T]:
        """Return ``work(item)`` of each item, in order, on every rank; each is done on one rank.

        Parameters
        ----------
        work : callable
        items : sequence
            The same on all ranks.
        effort : sequence of int, optional
            Of each item, at least 1, in any unit; without it all items are taken for equal.
        doing, unit : str
            For the progress bar, as in "computing descriptors" and "molecules"; without ``doing``
            there is none.

        Raises
        ------
        Exception
            On every rank, the first one that ``work`` raised on any.
        """
        share = share_by_work(effort or [1] * len(items), self.rank, self.world_size)
        with progress.expecting_waits() if doing else nullcontext():
            results = self.comm.on_all(lambda: self._done(work, items[share], doing, unit))
        return [result for part in self.comm.all_gather_object(results) for result in part]

    def _done(
        self, work: Callable[[Item], T], items: Sequence[Item], doing: str, unit: str
    ) -> list[T]:
        if not doing:
            return list(map(work, items))
        results: list[T] = []

        def report() -> None:
            progress.report_work(doing, len(results), len(items), unit, self.rank, self.world_size)

        reported = -_REPORT_EVERY_S
        with _signs_of_life(report):
            for item in items:
                results.append(work(item))
                now = time.monotonic()
                if now - reported > _REPORT_EVERY_S or len(results) == len(items):
                    reported = now
                    report()
        return results

    def run(self, doing: str, work: Callable[[], T]) -> T:
        """Do ``work``, and do it again on the ranks that are left when some fail.

        Parameters
        ----------
        doing : str
            For the report of a failure, as in "while rows were prepared".
        work : callable
            Takes nothing; collective, and fit to be begun again.
        """

        def attempt(failure: RankFailure | None) -> T:
            if failure is not None:
                event = event_of(failure, self.world_size, doing)
                progress.report({"kind": "rank_failure", "rank": self.rank, **event})
            return work()

        return run_fault_tolerant(self.comm, attempt)


@contextmanager
def _signs_of_life(report: Callable[[], None]) -> Iterator[None]:
    """Call ``report`` now and then inside the block, as long as this process computes.

    A process that uses no processor time may hang, and gives no sign.
    """
    over = threading.Event()

    def give_signs() -> None:
        used = time.process_time()
        while not over.wait(_SIGN_EVERY_S):
            before, used = used, time.process_time()
            if used - before > _BUSY * _SIGN_EVERY_S:
                report()

    thread = threading.Thread(target=copy_context().run, args=(give_signs,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
