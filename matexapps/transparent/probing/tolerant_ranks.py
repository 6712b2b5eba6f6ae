"""The ranks during a trial call, which may fail or take another path on one of them alone."""

from __future__ import annotations

from typing import Any, Literal

from matexapps.comm.communicator import Communicator
from matexapps.errors import TrainingError


class TolerantRanks:
    """The part of a communicator that a trial call needs.

    Ranks that have finished a trial and ranks that still want to reduce meet in the same exchange,
    so that no rank waits for one that has failed.

    Parameters
    ----------
    comm : Communicator
    """

    def __init__(self, comm: Communicator) -> None:
        self._comm = comm
        self.rank, self.world_size = comm.rank, comm.world_size

    def all_reduce(self, values: Any, operation: Literal["sum", "max", "min"] = "sum") -> None:
        """Reduce over ranks, if every rank asks for the same reduction. Collective.

        Raises
        ------
        TrainingError
            If one does not.
        """
        requests = self._comm.all_gather_object((values.shape, operation))
        if any(request != requests[0] for request in requests):
            raise TrainingError("its computation takes another path with fewer rows")
        self._comm.all_reduce(values, operation)

    def finish(self, reason: str) -> list[str]:
        """Return every rank's ``reason`` once all have finished their trial. Collective."""
        while True:
            answers = self._comm.all_gather_object(reason)
            if all(isinstance(answer, str) for answer in answers):
                return answers
