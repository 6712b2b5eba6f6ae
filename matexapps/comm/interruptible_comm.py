"""A communicator for a user's own mpi4py code, whose waits can be stopped.

A blocking MPI call does not notice Python's interrupts, and a rank that sits in one can only be
killed. Here each blocking method posts its nonblocking twin and tests it in the wait loop of
:mod:`matexapps.comm.waiting`. Methods for Python objects, which have no such twins, send pickled
bytes through those of buffers. What is not here (one-sided access, files, intercommunicators) is
plain mpi4py.
"""

from __future__ import annotations

import ctypes
import math
import pickle
from collections.abc import Callable, Sequence
from functools import reduce
from itertools import accumulate
from typing import Any, Literal

import numpy as np
from mpi4py import MPI

from matexapps.comm.failures.membership import base
from matexapps.comm.packing import pack_each, starts_of, unpack_each
from matexapps.comm.waiting import Waiting
from matexapps.errors import CommunicationError

_TWINS = {
    **{
        name: f"I{name.lower()}"
        for name in (
            *("Barrier", "Bcast", "Gather", "Gatherv", "Scatter", "Scatterv", "Allgather"),
            *("Allgatherv", "Alltoall", "Alltoallv", "Alltoallw", "Reduce", "Allreduce"),
            *("Reduce_scatter", "Reduce_scatter_block", "Scan", "Exscan"),
        )
    },
    "Send": "Isend",
    "Ssend": "Issend",
    "send": "isend",
    "ssend": "issend",
}


class InterruptibleComm(MPI.Intracomm):
    """A communicator of mpi4py whose blocking methods can be interrupted.

    Parameters
    ----------
    comm : MPI.Intracomm, optional
        Its handle is taken over. Without it there is none yet: so mpi4py makes a duplicate.
    """

    _waiting: Waiting

    def __new__(cls, comm: MPI.Intracomm | None = None) -> InterruptibleComm:
        new: InterruptibleComm = super().__new__(cls, comm)
        new._waiting = Waiting(math.inf, base())
        return new

    @property
    def broken(self) -> bool:
        """True once a wait was cut short, so that messages may be lost."""
        return self._waiting.broken_by is not None

    def take_over(self, comm: MPI.Intracomm) -> None:
        """Go on with another's handle, as if nothing had been broken."""
        self._waiting = Waiting(math.inf, base())
        ctypes.memmove(MPI._addressof(self), MPI._addressof(comm), MPI._sizeof(MPI.Comm))

    def revoke(self) -> None:
        """End every wait of every rank on it, for a rank is gone. Not collective."""
        self._waiting.give_up("a rank was lost", tell=False)
        self.Revoke()

    def _begin(self) -> None:
        if self.broken:
            raise CommunicationError(
                f"this communicator was left in the middle of a message "
                f"({self._waiting.broken_by}); make it again from MPI.COMM_WORLD"
            )

    def _finish(self, request: MPI.Request, what: str, *buffers: Any) -> None:
        self._waiting.complete([request], f"MPI {what}", *buffers)

    def Split(self, color: int = 0, key: int = 0) -> MPI.Comm:
        return self._made(super().Split(color, key))

    def Split_type(self, split_type: int, key: int = 0, info: MPI.Info | None = None) -> MPI.Comm:
        more = [] if info is None else [info]
        return self._made(super().Split_type(split_type, key, *more))

    def _made(self, comm: MPI.Comm) -> Any:
        return comm if comm == MPI.COMM_NULL else InterruptibleComm(MPI.Intracomm(comm))

    def mprobe(
        self,
        source: int = MPI.ANY_SOURCE,
        tag: int = MPI.ANY_TAG,
        status: MPI.Status | None = None,
    ) -> Any:
        return self._message(self.improbe, source, tag, status)

    def Mprobe(
        self,
        source: int = MPI.ANY_SOURCE,
        tag: int = MPI.ANY_TAG,
        status: MPI.Status | None = None,
    ) -> Any:
        return self._message(self.Improbe, source, tag, status)

    def _message(
        self, probe: Callable[..., Any], source: int, tag: int, status: MPI.Status | None
    ) -> Any:
        self._begin()
        found: list[Any] = []

        def ready() -> bool:
            message = probe(source, tag, status)
            if message is not None:
                found.append(message)
            return bool(found)

        self._waiting.until(ready, "MPI recv")
        return found[0]

    def probe(
        self,
        source: int = MPI.ANY_SOURCE,
        tag: int = MPI.ANY_TAG,
        status: MPI.Status | None = None,
    ) -> Literal[True]:
        self._begin()
        self._waiting.until(lambda: bool(self.Iprobe(source, tag, status)), "MPI probe")
        return True

    def Probe(
        self,
        source: int = MPI.ANY_SOURCE,
        tag: int = MPI.ANY_TAG,
        status: MPI.Status | None = None,
    ) -> Any:
        return self.probe(source, tag, status)

    def recv(
        self,
        buf: Any = None,
        source: int = MPI.ANY_SOURCE,
        tag: int = MPI.ANY_TAG,
        status: MPI.Status | None = None,
    ) -> Any:
        if source == MPI.PROC_NULL:
            return super().recv(buf, source, tag, status)
        return self.mprobe(source, tag).recv(status)

    def Recv(
        self,
        buf: Any,
        source: int = MPI.ANY_SOURCE,
        tag: int = MPI.ANY_TAG,
        status: MPI.Status | None = None,
    ) -> None:
        if source == MPI.PROC_NULL:
            super().Recv(buf, source, tag, status)
        else:
            self.Mprobe(source, tag).Recv(buf, status)

    def sendrecv(
        self,
        sendobj: Any,
        dest: int,
        sendtag: int = 0,
        recvbuf: Any = None,
        source: int = MPI.ANY_SOURCE,
        recvtag: int = MPI.ANY_TAG,
        status: MPI.Status | None = None,
    ) -> Any:
        self._begin()
        request = self.isend(sendobj, dest, sendtag)
        received = self.recv(recvbuf, source, recvtag, status)
        self._finish(request, "sendrecv")
        return received

    def Sendrecv(
        self,
        sendbuf: Any,
        dest: int,
        sendtag: int = 0,
        recvbuf: Any = None,
        source: int = MPI.ANY_SOURCE,
        recvtag: int = MPI.ANY_TAG,
        status: MPI.Status | None = None,
    ) -> None:
        self._begin()
        request = self.Isend(sendbuf, dest, sendtag)
        self.Recv(recvbuf, source, recvtag, status)
        self._finish(request, "Sendrecv", sendbuf)

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
        mine = np.frombuffer(pickle.dumps(sendobj), np.uint8)
        lengths = np.empty(self.size, np.int64) if self.rank == root else None
        self.Gather(np.array([len(mine)], np.int64), lengths, root)
        if lengths is None:
            self.Gatherv(mine, None, root)
            return None
        joined = np.empty(int(lengths.sum()), np.uint8)
        self.Gatherv(mine, [joined, lengths, starts_of(lengths), MPI.BYTE], root)
        return unpack_each(joined, lengths)

    def allgather(self, sendobj: Any) -> list[Any]:
        mine = np.frombuffer(pickle.dumps(sendobj), np.uint8)
        lengths = np.empty(self.size, np.int64)
        self.Allgather(np.array([len(mine)], np.int64), lengths)
        joined = np.empty(int(lengths.sum()), np.uint8)
        self.Allgatherv(mine, [joined, lengths, starts_of(lengths), MPI.BYTE])
        return unpack_each(joined, lengths)

    def scatter(self, sendobj: Sequence[Any] | None, root: int = 0) -> Any:
        lengths, joined = None, None
        if self.rank == root:
            lengths, joined = pack_each(sendobj, self.size)
        length = np.empty(1, np.int64)
        self.Scatter(lengths, length, root)
        mine = np.empty(int(length[0]), np.uint8)
        parts = None if lengths is None else [joined, lengths, starts_of(lengths), MPI.BYTE]
        self.Scatterv(parts, mine, root)
        return pickle.loads(mine.tobytes())

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


def _patient(name: str, twin: str) -> Callable[..., None]:
    start = getattr(MPI.Intracomm, twin)

    def method(self: InterruptibleComm, *args: Any, **kwargs: Any) -> None:
        self._begin()
        request = self._waiting.begin(f"MPI {name}", start, self, *args, **kwargs)
        self._finish(request, name, args, kwargs)

    method.__name__, method.__doc__ = name, getattr(MPI.Intracomm, name).__doc__
    return method


for _name, _twin in _TWINS.items():
    setattr(InterruptibleComm, _name, _patient(_name, _twin))
