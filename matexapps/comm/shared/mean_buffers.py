"""Weighted means over ranks: through memory that a host's ranks share, or through messages."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
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
    """The mean if all ranks share memory: each rank sums one slice of all vectors, in place.

    No message carries the vectors. Between a first barrier (all vectors are written) and a second
    one (all slices are summed) each rank adds its slice of all contributions in rank order, so
    the result has the same bits everywhere. The second barrier of one call and the first of the
    next separate reads from writes.

    Parameters
    ----------
    allocate : callable
        Takes a number of bytes and returns memory that all ranks share. Collective.
    synchronize, barrier : callable
        Return when every rank has called them. The first may check the call as well.
    rank, size : int
    length, dtype
        As for :meth:`matexapps.comm.communicator.Communicator.mean_buffer`.
    """

    def __init__(
        self,
        allocate: Callable[[int], NDArray[np.uint8]],
        synchronize: Callable[[], None],
        barrier: Callable[[], None],
        rank: int,
        size: int,
        length: int,
        dtype: type[np.floating[Any]],
    ) -> None:
        self._synchronize, self._barrier = synchronize, barrier
        itemsize = np.dtype(dtype).itemsize
        vector = -(-length * itemsize // _LINE_BYTES) * _LINE_BYTES
        # The mean, then for each rank a cache line for its weight, and its vector.
        memory = allocate(vector + size * (_LINE_BYTES + vector))
        segments = memory[vector:].reshape(size, _LINE_BYTES + vector)
        self._weights = [segment[:8].view(np.float64) for segment in segments]
        self._parts = [segment[_LINE_BYTES:].view(dtype)[:length] for segment in segments]
        self.local = self._parts[rank]
        self.mean = memory[:vector].view(dtype)[:length]
        self._my_weight = self._weights[rank]
        self._slice = slice(length * rank // size, length * (rank + 1) // size)
        self._block = _BLOCK_BYTES // itemsize

    def average(self, weight: float) -> float:
        self._my_weight[0] = weight
        self._synchronize()
        total = float(sum(w[0] for w in self._weights))
        scale = self.mean.dtype.type(1.0 / (total or 1.0))
        for start in range(self._slice.start, self._slice.stop, self._block):
            stop = min(start + self._block, self._slice.stop)
            out = self.mean[start:stop]
            np.add(self._parts[0][start:stop], self._parts[1][start:stop], out=out)
            for part in self._parts[2:]:
                np.add(out, part[start:stop], out=out)
            np.multiply(out, scale, out=out)
        self._barrier()
        return total

    def close(self) -> None:
        # The memory is freed with its last view.
        self.local = self.mean = self._my_weight = np.empty(0, self.mean.dtype)
        self._weights, self._parts = [], []


class MessageMean(MeanBuffer):
    """The mean if ranks do not share memory: by allreduce, in messages of about a MiB.

    Parameters
    ----------
    comm : MPI.Comm
    waiting : Waiting
    begin : callable
        Refuses to continue on a broken communicator, and may check the call.
    length, dtype
        As for :meth:`matexapps.comm.communicator.Communicator.mean_buffer`.
    """

    def __init__(
        self,
        comm: MPI.Comm,
        waiting: Waiting,
        begin: Callable[[], None],
        length: int,
        dtype: type[np.floating[Any]],
    ) -> None:
        self._comm, self._begin = comm, begin
        self._waiting = waiting
        self._send = np.zeros(length + 1, dtype)
        self._receive = np.zeros(length + 1, dtype)
        self.local = self._send[:length]
        self.mean = self._receive[:length]
        step = _MESSAGE_BYTES // self._send.itemsize
        self._slices = [slice(k, k + step) for k in range(0, length + 1, step)]

    def average(self, weight: float) -> float:
        self._begin()
        self._send[-1] = weight
        self._waiting.run_all(
            "the average of gradients",
            *(
                partial(self._comm.Iallreduce, self._send[s], self._receive[s])
                for s in self._slices
            ),
        )
        total = float(self._receive[-1])
        self.mean *= self.mean.dtype.type(1.0 / (total or 1.0))
        return total

    def close(self) -> None:
        pass
