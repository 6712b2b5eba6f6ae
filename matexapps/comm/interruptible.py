"""Communicators for a user's own mpi4py code, whose waits can be interrupted.

A blocking MPI call does not notice Python's interrupts, and a rank inside one can only be killed.
Here each blocking method posts its nonblocking twin and tests it in the wait loop of
:mod:`matexapps.comm.waiting`. What is not here (one-sided access, files, intercommunicators) is
plain mpi4py.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

from mpi4py import MPI

from matexapps.comm.failures.runtime import runtime
from matexapps.comm.object_collectives import ObjectCollectives
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


class InterruptibleComm(ObjectCollectives):
    """A communicator of mpi4py whose blocking methods can be interrupted.

    Parameters
    ----------
    comm : MPI.Intracomm, optional
        The new communicator takes over its handle. mpi4py leaves it out when it duplicates a
        communicator, and sets the handle later.
    """

    _waiting: Waiting

    def __new__(cls, comm: MPI.Intracomm | None = None) -> InterruptibleComm:
        new: InterruptibleComm = super().__new__(cls, comm)
        new._waiting = Waiting(math.inf, runtime.membership)
        return new

    @property
    def broken(self) -> bool:
        """Whether a wait was cut short, so that messages may be lost."""
        return self._waiting.broken_by is not None

    def replace_handle(self, comm: MPI.Intracomm) -> None:
        """Continue with the handle of another communicator, unbroken."""
        self._waiting = Waiting(math.inf, runtime.membership)
        ctypes.memmove(MPI._addressof(self), MPI._addressof(comm), MPI._sizeof(MPI.Comm))

    def revoke(self) -> None:
        """End every rank's waits on it, because a rank has failed. Not collective."""
        self._waiting.mark_broken("a rank failed", notify=False)
        self.Revoke()

    def _begin(self) -> None:
        if self.broken:
            raise CommunicationError(
                f"this communicator was left in the middle of a message "
                f"({self._waiting.broken_by}); make it anew from MPI.COMM_WORLD"
            )

    def Split(self, color: int = 0, key: int = 0) -> MPI.Comm:
        return _make_interruptible(super().Split(color, key))

    def Split_type(self, split_type: int, key: int = 0, info: MPI.Info | None = None) -> MPI.Comm:
        more = [] if info is None else [info]
        return _make_interruptible(super().Split_type(split_type, key, *more))

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
        message: Any = None

        def ready() -> bool:
            nonlocal message
            message = probe(source, tag, status)
            return message is not None

        self._waiting.until(ready, "MPI recv")
        return message

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
        received: list[Any] = []

        def receive() -> MPI.Request:
            received.append(self.recv(recvbuf, source, recvtag, status))
            return MPI.REQUEST_NULL

        self._waiting.run_all("MPI sendrecv", partial(self.isend, sendobj, dest, sendtag), receive)
        return received[0]

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

        def receive() -> MPI.Request:
            self.Recv(recvbuf, source, recvtag, status)
            return MPI.REQUEST_NULL

        self._waiting.run_all("MPI Sendrecv", partial(self.Isend, sendbuf, dest, sendtag), receive)


class InterruptibleWorld(InterruptibleComm):
    """A communicator over all ranks, on a private duplicate of MPI's own."""

    renewals = 0
    closed = False

    def renew(self) -> None:
        """Give it a new, unbroken handle, so that names for it stay usable. Collective."""
        self.replace_handle(_duplicate_world())
        self.renewals += 1


def make_world_interruptible() -> InterruptibleWorld:
    """Replace ``MPI.COMM_WORLD`` by an interruptible world, and return it. Collective."""
    world = InterruptibleWorld(_duplicate_world())
    MPI.COMM_WORLD = world  # type: ignore[misc]
    return world


def _duplicate_world() -> MPI.Intracomm:
    membership = runtime.membership
    return Waiting(math.inf, membership).duplicate(membership.comm)


def _make_interruptible(comm: MPI.Comm) -> Any:
    return comm if comm == MPI.COMM_NULL else InterruptibleComm(MPI.Intracomm(comm))


def _interruptible_method(name: str, twin: str) -> Callable[..., None]:
    start = getattr(MPI.Intracomm, twin)

    def method(self: InterruptibleComm, *args: Any, **kwargs: Any) -> None:
        self._begin()
        self._waiting.run(f"MPI {name}", start, self, *args, **kwargs)

    method.__name__, method.__doc__ = name, getattr(MPI.Intracomm, name).__doc__
    return method


for _name, _twin in _TWINS.items():
    setattr(InterruptibleComm, _name, _interruptible_method(_name, _twin))
