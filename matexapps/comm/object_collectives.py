"""Collectives of mpi4py for Python objects, in terms of those for buffers."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from functools import reduce
from itertools import accumulate
from typing import Any

import numpy as np
from mpi4py import MPI

from matexapps.comm.packing import pack_each, starts_of, unpack_each


class ObjectCollectives(MPI.Intracomm):
    """A communicator whose object collectives send pickled bytes through its buffer collectives.

    So whatever a subclass makes of the buffer collectives, such as waits that can be interrupted,
    holds for the object collectives, too.
    """

    def barrier(self) -> None:
        self.Barrier()

    def bcast(self, obj: Any, root: int = 0) -> Any:
        content = pickle.dumps(obj) if self.rank == root else b""
        length = np.array([len(content)], np.int64)
        self.Bcast(length, root)
        data = np.empty(int(length[0]), np.uint8)
        if self.rank == root:
            data[:] = np.frombuffer(content, np.uint8)
        self.Bcast(data, root)
        return obj if self.rank == root else pickle.loads(data.tobytes())

    def gather(self, sendobj: Any, root: int = 0) -> list[Any] | None:
        own = np.frombuffer(pickle.dumps(sendobj), np.uint8)
        lengths = np.empty(self.size, np.int64) if self.rank == root else None
        self.Gather(np.array([len(own)], np.int64), lengths, root)
        if lengths is None:
            self.Gatherv(own, None, root)
            return None
        joined = np.empty(int(lengths.sum()), np.uint8)
        self.Gatherv(own, [joined, lengths, starts_of(lengths), MPI.BYTE], root)
        return unpack_each(joined, lengths)

    def allgather(self, sendobj: Any) -> list[Any]:
        own = np.frombuffer(pickle.dumps(sendobj), np.uint8)
        lengths = np.empty(self.size, np.int64)
        self.Allgather(np.array([len(own)], np.int64), lengths)
        joined = np.empty(int(lengths.sum()), np.uint8)
        self.Allgatherv(own, [joined, lengths, starts_of(lengths), MPI.BYTE])
        return unpack_each(joined, lengths)

    def scatter(self, sendobj: Sequence[Any] | None, root: int = 0) -> Any:
        lengths, joined = None, None
        if self.rank == root:
            lengths, joined = pack_each(sendobj, self.size)
        length = np.empty(1, np.int64)
        self.Scatter(lengths, length, root)
        own = np.empty(int(length[0]), np.uint8)
        parts = None if lengths is None else [joined, lengths, starts_of(lengths), MPI.BYTE]
        self.Scatterv(parts, own, root)
        return pickle.loads(own.tobytes())

    def alltoall(self, sendobj: Sequence[Any]) -> list[Any]:
        lengths, joined = pack_each(sendobj, self.size)
        theirs = np.empty(self.size, np.int64)
        self.Alltoall(lengths, theirs)
        received = np.empty(int(theirs.sum()), np.uint8)
        self.Alltoallv(
            [joined, lengths, starts_of(lengths), MPI.BYTE],
            [received, theirs, starts_of(theirs), MPI.BYTE],
        )
        return unpack_each(received, theirs)

    def reduce(self, sendobj: Any, op: Callable[[Any, Any], Any] = MPI.SUM, root: int = 0) -> Any:
        values = self.gather(sendobj, root)
        return None if values is None else reduce(op, values)

    def allreduce(self, sendobj: Any, op: Callable[[Any, Any], Any] = MPI.SUM) -> Any:
        return reduce(op, self.allgather(sendobj))

    def scan(self, sendobj: Any, op: Callable[[Any, Any], Any] = MPI.SUM) -> Any:
        return list(accumulate(self.allgather(sendobj), op))[self.rank]

    def exscan(self, sendobj: Any, op: Callable[[Any, Any], Any] = MPI.SUM) -> Any:
        return [None, *accumulate(self.allgather(sendobj), op)][self.rank]
