"""The ranks while a call is tried, which may fail, or take another way, on one of them alone."""

from __future__ import annotations

from typing import Any, Literal

from matexapps.comm.communicator import Communicator
from matexapps.errors import TrainingError


class Trying:
    """What a trial needs of a communicator.

    Ranks that have ended a trial, and ranks that would still sum, meet in the same exchange, so
    that nobody waits for a rank that has failed.

    Parameters
    ----------
    comm : Communicator
    """

    def __init__(self, comm: Communicator) -> None:
        self._comm = comm
        self.rank, self.world_size = comm.rank, comm.world_size

    def all_reduce(self, values: Any, operation: Literal["sum", "max", "min"] = "sum") -> None:
        """Reduce over ranks, if every rank wants to, and as much.

        Raises
        ------
        TrainingError
            If not.
        """
        wanted = self._comm.all_gather_object((values.shape, operation))
        if any(each != wanted[0] for each in wanted):
            raise TrainingError("it takes another way with fewer rows")
        self._comm.all_reduce(values, operation)

    def ended(self, reason: str) -> list[str]:
        """Return what every rank found to stand against its trial, once all have ended."""
        while True:
            told = self._comm.all_gather_object(reason)
            if all(isinstance(each, str) for each in told):
                return told
