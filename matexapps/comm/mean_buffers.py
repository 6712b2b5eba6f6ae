"""Weighted means over ranks: through memory that a host's ranks share, or through messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from matexapps.comm.communicator import MeanBuffer
from matexapps.comm.waiting import Waiting

_LINE_BYTES = 64
_BLOCK_BYTES = 256 * 1024
_MESSAGE_BYTES = 1024 * 1024


class SharedMemoryMean(MeanBuffer):
    """All ranks on one host: each sums one slice of everybody's vectors, in place.

    No message carries the vectors. Between a first barrier (everybody has written) and a second
    (every slice is summed) each rank reads its slice of all the contributions in rank order, so
    that the result has the same bits everywhere. The second barrier of one call and the first of
    the next keep writers away from readers.
    """

    def __init__(
        self,
        node: MPI.Intracomm,
        barrier: Callable[[], None],
        length: int,
        dtype: type[np.floating[Any]],
    ) -> None:
        self._barrier = barrier
        itemsize = np.dtype(dtype).itemsize
        vector = -(-length * itemsize // _LINE_BYTES) * _LINE_BYTES
        # A rank's segment is a line for its weight and its vector; rank 0's also holds the mean.
        segment = _LINE_BYTES + vector * (2 if node.rank == 0 else 1)
        self._window = MPI.Win.Allocate_shared(segment, 1, comm=node)
        self._window.Lock_all(MPI.MODE_NOCHECK)
        segments = [
            np.frombuffer(self._window.Shared_query(rank)[0], np.uint8)  # type: ignore[call-overload]
            for rank in range(node.size)
        ]
        self._weights = [s[:8].view(np.float64) for s in segments]
        self._parts = [s[_LINE_BYTES : _LINE_BYTES + vector].view(dtype)[:length] for s in segments]
        self.local = self._parts[node.rank]
        self.mean = segments[0][_LINE_BYTES + vector :][:vector].view(dtype)[:length]
        self._my_weight = self._weights[node.rank]
        self._slice = slice(length * node.rank // node.size, length * (node.rank + 1) // node.size)
        self._block = _BLOCK_BYTES // itemsize

    def average(self, weight: float) -> float:
        self._my_weight[0] = weight
        self._meet()
        total = float(sum(w[0] for w in self._weights))
        scale = self.mean.dtype.type(1.0 / (total or 1.0))
        for start in range(self._slice.start, self._slice.stop, self._block):
            stop = min(start + self._block, self._slice.stop)
            out = self.mean[start:stop]
            np.add(self._parts[0][start:stop], self._parts[1][start:stop], out=out)
            for part in self._parts[2:]:
                np.add(out, part[start:stop], out=out)
            np.multiply(out, scale, out=out)
        self._meet()
        return total

    def _meet(self) -> None:
        self._window.Sync()
        self._barrier()
        self._window.Sync()

    def close(self) -> None:
        # Views of freed memory would crash the process: leave none behind.
        self.local = self.mean = np.empty(0, self.mean.dtype)
        self._weights, self._parts = [], []
        self._window.Unlock_all()
        self._window.Free()


class MessageMean(MeanBuffer):
    """Ranks on several hosts: allreduce in messages of about a MiB over one reused buffer."""

    def __init__(
        self, comm: MPI.Comm, waiting: Waiting, length: int, dtype: type[np.floating[Any]]
    ) -> None:
        self._comm = comm
        self._waiting = waiting
        self._send = np.zeros(length + 1, dtype)
        self._receive = np.zeros(length + 1, dtype)
        self.local = self._send[:length]
        self.mean = self._receive[:length]
        step = _MESSAGE_BYTES // self._send.itemsize
        self._slices = [slice(k, k + step) for k in range(0, length + 1, step)]

    def average(self, weight: float) -> float:
        self._send[-1] = weight
        requests = [self._comm.Iallreduce(self._send[s], self._receive[s]) for s in self._slices]
        self._waiting.complete(requests, "the average of gradients", self._send, self._receive)
        total = float(self._receive[-1])
        self.mean *= self.mean.dtype.type(1.0 / (total or 1.0))
        return total

    def close(self) -> None:
        pass


class CheckedMean(MeanBuffer):
    """Another buffer, each of whose collectives begins with a check that all ranks call it.

    Parameters
    ----------
    buffer : MeanBuffer
    number : int
        Tells the buffers of a communicator apart.
    begin : callable
        Takes the operation's name, the buffer's number, and what it works on.
    """

    def __init__(
        self, buffer: MeanBuffer, number: int, begin: Callable[[str, int, NDArray[Any]], None]
    ) -> None:
        self._buffer = buffer
        self._number = number
        self._begin = begin
        self.local, self.mean = buffer.local, buffer.mean

    def average(self, weight: float) -> float:
        self._begin("average() of mean buffer {}", self._number, self.local)
        return self._buffer.average(weight)

    def close(self) -> None:
        self._begin("close() of mean buffer {}", self._number, self.local)
        self._buffer.close()
        self.local, self.mean = self._buffer.local, self._buffer.mean
