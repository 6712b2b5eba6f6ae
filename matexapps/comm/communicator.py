"""The communicator: what ranks can exchange, with one interface for many ranks and for one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matexapps.comm.c_library import CLibrary

Op = Literal["sum", "max", "min"]
T = TypeVar("T")


class MeanBuffer(ABC):
    """A vector of weighted sums on every rank, and their weighted mean over all ranks.

    Attributes
    ----------
    local : ndarray of float32 or float64, shape (length,)
        This rank's contribution: sums over its own rows. Fill it before each :meth:`average`.
    mean : ndarray of the same dtype and shape
        Sum over ranks of ``local``, divided by the sum of the weights; the same bits on every
        rank. Read only, and valid until the next :meth:`average`.
    """

    local: NDArray[Any]
    mean: NDArray[Any]

    @abstractmethod
    def average(self, weight: float) -> float:
        """Combine all ranks' ``local`` into ``mean``; return the sum of the weights. Collective."""

    @abstractmethod
    def close(self) -> None:
        """Free the memory. Collective; do not call it once the communicator is broken."""


class Communicator(ABC):
    """A group of ranks. Every method is collective unless it says otherwise.

    Attributes
    ----------
    rank, world_size : int
        This rank's number, from 0, and the number of ranks.
    local_rank, local_size : int
        The same among the ranks of this host.
    hostname : str
        This rank's host.
    fault_tolerant : bool
        Whether ranks can continue after the failure of another.
    timeout_s : float
        The limit for a single wait for other ranks, in seconds.
    renewals : int
        How often it has been opened again, because it was broken or a rank failed.
    """

    renewals: int = 0
    fault_tolerant: bool = False
    timeout_s: float
    rank: int
    world_size: int
    local_rank: int
    local_size: int
    hostname: str

    @property
    @abstractmethod
    def waited_s(self) -> float:
        """Seconds this rank has spent waiting for others. Not collective."""

    @property
    @abstractmethod
    def broken(self) -> bool:
        """Whether a wait was cut short: messages may be lost, so open a new world."""

    @abstractmethod
    def barrier(self) -> None:
        """Return when every rank has called this."""

    @abstractmethod
    def broadcast_object(self, value: T, root: int = 0) -> T:
        """Return the root's ``value``, any picklable object, on every rank."""

    @abstractmethod
    def all_gather_object(self, value: T) -> list[T]:
        """Return every rank's ``value``, in rank order."""

    @abstractmethod
    def all_reduce(self, array: NDArray[Any], op: Op = "sum") -> None:
        """Combine a C-contiguous array over the ranks, element by element, in place."""

    @abstractmethod
    def broadcast(self, array: NDArray[Any], root: int = 0) -> None:
        """Overwrite a C-contiguous array with the root's, which has the same shape and dtype."""

    @abstractmethod
    def all_gather_rows(
        self, array: NDArray[Any], counts: Sequence[int] | None = None
    ) -> NDArray[Any]:
        """Return the ranks' arrays joined along the first axis, in rank order.

        Parameters
        ----------
        array : ndarray, shape (rows, ...)
            Ranks may have different numbers of rows, but all rows have the same shape.
        counts : sequence of int, optional
            Every rank's number of rows, if all ranks know them; it saves a message.
        """

    @abstractmethod
    def mean_buffer(self, length: int, dtype: type[np.floating[Any]]) -> MeanBuffer:
        """Return a reusable buffer for weighted means of ``length`` values."""

    @abstractmethod
    def c_library(self, names: Sequence[str]) -> CLibrary | None:
        """Load the first of these C libraries that is linked to this MPI.

        Collective functions of the library do not keep the promises of the methods here: they block
        until every rank has called them, and neither an interrupt nor a rank failure frees them.

        Returns
        -------
        CLibrary or None
            None without MPI, or if some rank does not find a library.
        """

    @abstractmethod
    def abort(self, reason: str) -> None:
        """Free the other ranks from their waits with a ``PeerAborted``. Not collective."""

    @abstractmethod
    def killing_unresponsive_ranks(self) -> AbstractContextManager[None]:
        """Inside, kill ranks that give no sign of life at a deadline, so that they have failed.

        Otherwise such a wait ends with a ``DeadlineExceeded``. Not collective.
        """

    @abstractmethod
    def confirm_success(self) -> None:
        """Return on every rank, or raise ``RankFailureError`` on every rank."""

    @abstractmethod
    def close(self) -> None:
        """Free what the communicator holds."""

    def on_root(self, work: Callable[[], T]) -> T:
        """Call ``work`` on rank 0 alone; return its result, or raise its error, on every rank."""
        result: T | None = None
        error: Exception | None = None
        if self.rank == 0:
            try:
                result = work()
            except Exception as caught:
                if self.broken:
                    raise
                error = caught
        result, error = self.broadcast_object((result, error))
        if error is not None:
            raise error
        return result  # type: ignore[return-value]  # the root's result is a T

    def on_all(self, work: Callable[[], T]) -> T:
        """Call ``work`` on every rank; return this rank's result, or raise one error on every rank.

        The error is that of the lowest rank that has one. If an exception breaks the communicator,
        it is raised only where it occurs.
        """
        result: T | None = None
        error: Exception | None = None
        try:
            result = work()
        except Exception as caught:
            if self.broken:
                raise
            error = caught
        errors = self.all_gather_object(error)
        first = next((e for e in errors if e is not None), None)
        if first is not None:
            raise first
        return result  # type: ignore[return-value]  # there was no error, so it is a T

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self.abort(f"{type(error).__name__}: {error}")
        self.close()
