"""The communicator of a single process, without MPI: the same interface, nothing to wait for."""

from __future__ import annotations

import math
import socket
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from matexapps.comm.communicator import Communicator, MeanBuffer, Op

T = TypeVar("T")


class SingleProcess(Communicator):
    """A world of one rank."""

    def __init__(self) -> None:
        self.rank = self.local_rank = 0
        self.world_size = self.local_size = 1
        self.hostname = socket.gethostname()
        self.timeout_s = math.inf

    @property
    def waited_s(self) -> float:
        """Zero: there are no ranks to wait for."""
        return 0.0

    @property
    def broken(self) -> bool:
        """False: there are no messages to lose."""
        return False

    def barrier(self) -> None:
        """Return immediately."""

    def broadcast_object(self, value: T, root: int = 0) -> T:
        """Return ``value``."""
        return value

    def all_gather_object(self, value: T) -> list[T]:
        """Return ``[value]``."""
        return [value]

    def all_reduce(self, array: NDArray[Any], op: Op = "sum") -> None:
        """Leave ``array`` as it is."""

    def broadcast(self, array: NDArray[Any], root: int = 0) -> None:
        """Leave ``array`` as it is."""

    def all_gather_rows(
        self, array: NDArray[Any], counts: Sequence[int] | None = None
    ) -> NDArray[Any]:
        """Return a copy of ``array``."""
        return array.copy()

    def mean_buffer(self, length: int, dtype: type[np.floating[Any]]) -> MeanBuffer:
        """Return a buffer whose mean is its own content over its own weight."""
        return _OwnMean(length, dtype)

    def c_library(self, names: Sequence[str]) -> None:
        """Return None: there is no MPI."""

    def abort(self, reason: str) -> None:
        """Do nothing: there are no other ranks."""

    def killing_unresponsive_ranks(self) -> AbstractContextManager[None]:
        """Do nothing: there are no other ranks."""
        return nullcontext()

    def confirm_success(self) -> None:
        """Return: there are no other ranks."""

    def close(self) -> None:
        """Do nothing: there is nothing to free."""


class _OwnMean(MeanBuffer):
    def __init__(self, length: int, dtype: type[np.floating[Any]]) -> None:
        self.local = np.zeros(length, dtype)
        self.mean = np.zeros(length, dtype)

    def average(self, weight: float) -> float:
        np.divide(self.local, weight or 1.0, out=self.mean)
        return weight

    def close(self) -> None:
        pass
