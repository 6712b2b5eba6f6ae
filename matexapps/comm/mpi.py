"""The communicator over MPI."""

from __future__ import annotations

import itertools
import os
import pickle
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from matexapps.comm.agreement import Agreement
from matexapps.comm.c_library import CLibrary, load_c_library, with_handles
from matexapps.comm.communicator import Communicator, MeanBuffer, Op
from matexapps.comm.mean_buffers import CheckedMean, MessageMean, SharedMemoryMean
from matexapps.comm.waiting import Waiting
from matexapps.errors import CommunicationError

T = TypeVar("T")

_PIECE_BYTES = 4 * 1024 * 1024
# Counts and places in a message of parts are C ints.
_MOST_BYTES = 2**31
# Not the world that matexapps.comm.interruptible may put in its place.
_WORLD = MPI.COMM_WORLD
_OPS = {"sum": MPI.SUM, "max": MPI.MAX, "min": MPI.MIN}


class MpiCommunicator(Communicator):
    """All ranks of the job, over private duplicates of MPI's world.

    One duplicate carries the data, one carries the news that a rank gave up: work that is cut
    short can leave messages behind on the first, which is then never used again. Where collectives
    are checked, a third carries the checks.
    """

    def __init__(self, timeout_s: float, check: bool) -> None:
        self.rank, self.world_size = _WORLD.rank, _WORLD.size
        self.hostname = MPI.Get_processor_name()
        self._timeout_s, self._check = timeout_s, check
        self._open()

    def _open(self) -> None:
        self._waiting = Waiting(self._timeout_s)
        self._data, data_ready = _WORLD.Idup()
        self._control, control_ready = _WORLD.Idup()
        self._waiting.complete([data_ready, control_ready], "opening the world")
        self._waiting.listen_on(self._control)
        node = self._data.Split_type(MPI.COMM_TYPE_SHARED, key=self.rank)
        self._node = MPI.Intracomm(node)
        self.local_rank, self.local_size = self._node.rank, self._node.size
        if self.local_size > (os.cpu_count() or 1):
            self._waiting.yield_at_once()
        self._mean_buffers = itertools.count(1)
        self._agreement = self._open_agreement(self._check)

    def _open_agreement(self, wanted: bool) -> Agreement | None:
        wanted_by_any = np.array([wanted], np.uint8)
        self._all_reduce([wanted_by_any], "max")
        if not wanted_by_any[0]:
            return None
        comm, ready = self._data.Idup()
        self._waiting.complete([ready], "opening the world")
        return Agreement(comm, self._waiting, self._all_gather)

    def renew(self) -> None:
        """Open it again after it was broken. Collective; buffers made before stay broken."""
        self._open()
        self.renewals += 1

    @property
    def closed(self) -> bool:
        """True after :meth:`close`."""
        return bool(self._data == MPI.COMM_NULL)

    @property
    def waited_s(self) -> float:
        """Seconds this rank has spent waiting for others."""
        return self._waiting.waited_s

    @property
    def broken(self) -> bool:
        """True once a wait was cut short."""
        return self._waiting.broken_by is not None

    def _begin(
        self, operation: str, detail: object = None, array: NDArray[Any] | None = None
    ) -> None:
        """Refuse to go on where messages were lost; check, if asked to, that all ranks are here."""
        self._refuse_if_broken()
        if self._agreement is not None:
            self._agreement.check(operation, detail, array)

    def _refuse_if_broken(self) -> None:
        if self._waiting.broken_by is not None:
            raise CommunicationError(
                f"this communicator was left in the middle of a message "
                f"({self._waiting.broken_by}); open a new one with open_world()"
            )

    def barrier(self) -> None:
        self._begin("barrier()")
        self._barrier()

    def _barrier(self) -> None:
        self._refuse_if_broken()
        self._waiting.complete([self._data.Ibarrier()], "barrier")

    def broadcast(self, array: NDArray[Any], root: int = 0) -> None:
        pieces = _pieces(array)
        self._begin("broadcast(root={})", root, array)
        self._broadcast(pieces, root)

    def _broadcast(self, pieces: list[NDArray[Any]], root: int) -> None:
        for piece in pieces:
            self._waiting.complete([self._data.Ibcast(piece, root=root)], "broadcast", piece)

    def all_reduce(self, array: NDArray[Any], op: Op = "sum") -> None:
        pieces = _pieces(array)
        self._begin("all_reduce({})", op, array)
        self._all_reduce(pieces, op)

    def _all_reduce(self, pieces: list[NDArray[Any]], op: Op) -> None:
        for piece in pieces:
            request = self._data.Iallreduce(MPI.IN_PLACE, piece, op=_OPS[op])
            self._waiting.complete([request], "all_reduce", piece)

    def broadcast_object(self, value: T, root: int = 0) -> T:
        content = _pack(value) if self.rank == root else b""
        self._begin("broadcast_object(root={})", root)
        length = np.array([len(content)], np.int64)
        self._broadcast([length], root)
        data = np.empty(int(length[0]), np.uint8)
        if self.rank == root:
            data[:] = np.frombuffer(content, np.uint8)
        self._broadcast(_pieces(data), root)
        # Bytes that a rank of this very job made a moment ago; nothing from a file.
        return value if self.rank == root else pickle.loads(data.tobytes())

    def all_gather_object(self, value: T) -> list[T]:
        content = _pack(value)
        self._begin("all_gather_object()")
        return [
            value if rank == self.rank else pickle.loads(packed)
            for rank, packed in enumerate(self._all_gather(content))
        ]

    def _all_gather(self, content: bytes) -> list[bytes]:
        mine = np.frombuffer(content, np.uint8)
        lengths = np.zeros(self.world_size, np.int64)
        lengths[self.rank] = len(mine)
        self._all_reduce([lengths], "sum")
        joined = np.empty(int(lengths.sum()), np.uint8)
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        request = self._data.Iallgatherv(mine, [joined, lengths, starts, MPI.BYTE])
        self._waiting.complete([request], "all_gather", mine, joined)
        return [joined[s : s + n].tobytes() for s, n in zip(starts, lengths, strict=True)]

    def all_gather_rows(
        self, array: NDArray[Any], counts: Sequence[int] | None = None
    ) -> NDArray[Any]:
        if counts is None:
            counts = self.all_gather_object(len(array))
        row = array.shape[1:]
        what = (", ".join(map(str, counts)), array.dtype, row)
        self._begin("all_gather_rows({0[0]}) of {0[1]} rows {0[2]}", what)
        joined = np.empty((sum(counts), *row), array.dtype)
        starts = [0, *itertools.accumulate(counts)]
        if joined.nbytes < _MOST_BYTES:
            row_bytes = joined.nbytes // max(1, len(joined))
            sizes = [count * row_bytes for count in counts]
            places = [start * row_bytes for start in starts[:-1]]
            mine, everybody = _as_bytes(array), _as_bytes(joined)
            request = self._data.Iallgatherv(mine, [everybody, sizes, places, MPI.BYTE])
            self._waiting.complete([request], "all_gather_rows", mine, everybody)
            return joined
        joined[starts[self.rank] : starts[self.rank + 1]] = array
        for root, (start, end) in enumerate(itertools.pairwise(starts)):
            self._broadcast(_pieces(joined[start:end]), root)
        return joined

    def mean_buffer(self, length: int, dtype: type[np.floating[Any]]) -> MeanBuffer:
        self._begin("mean_buffer({0[0]}, {0[1]})", (length, np.dtype(dtype).name))
        self._barrier()
        buffer: MeanBuffer
        if self.local_size == self.world_size:
            buffer = SharedMemoryMean(self._node, self._barrier, length, dtype)
        else:
            buffer = MessageMean(self._data, self._waiting, length, dtype)
        if self._agreement is None:
            return buffer
        return CheckedMean(buffer, next(self._mean_buffers), self._begin)

    def c_library(self, names: Sequence[str]) -> CLibrary | None:
        self._begin("c_library({})", ", ".join(names))
        functions = load_c_library(names)
        found = self._all_gather(b"found" if functions is not None else b"")
        if functions is None or not all(found):
            return None
        return with_handles(functions, self._data)

    def abort(self, reason: str) -> None:
        self._waiting.give_up(reason)

    def close(self) -> None:
        # Freeing is collective, and a broken communicator's ranks no longer act together.
        if self.broken or self.closed:
            return
        self._begin("close()")
        if self._agreement is not None:
            self._agreement.close()
        for comm in (self._node, self._data, self._control):
            comm.Free()


def _pack(value: Any) -> bytes:
    try:
        return pickle.dumps(value)
    except Exception as error:
        raise CommunicationError(
            f"cannot send a {type(value).__name__} to other ranks: {error}; send plain data"
        ) from error


def _as_bytes(array: NDArray[Any]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def _pieces(array: NDArray[Any]) -> list[NDArray[Any]]:
    if not array.flags.c_contiguous:
        raise CommunicationError(
            f"an array of shape {array.shape} is not C-contiguous; pass numpy.ascontiguousarray(it)"
        )
    flat = array.reshape(-1)
    step = max(1, _PIECE_BYTES // max(1, flat.itemsize))
    return [flat[start : start + step] for start in range(0, len(flat), step)]
