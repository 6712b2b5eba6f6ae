"""The communicator over MPI."""

from __future__ import annotations

import itertools
import os
import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Self, TypeVar

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from matexapps.comm.c_library import CLibrary, load_c_library, with_handles
from matexapps.comm.checks.collective_checks import CollectiveChecks
from matexapps.comm.communicator import Communicator, MeanBuffer, Op
from matexapps.comm.failures.policy import fault_tolerance_enabled
from matexapps.comm.failures.runtime import runtime
from matexapps.comm.packing import as_bytes, in_pieces, pack, starts_of
from matexapps.comm.shared.mean_buffers import MessageMean, SharedMemoryMean
from matexapps.comm.shared.shared_memory import shared_memory
from matexapps.comm.shared.shared_rows import SharedRows
from matexapps.comm.topology import RankInfo, Topology
from matexapps.comm.waiting import Waiting
from matexapps.errors import CommunicationError

T = TypeVar("T")

# The counts and offsets of a gathered message are C ints.
_MAX_MESSAGE_BYTES = 2**31
# More would not fit into the processor's cache.
_MAX_SHARED_BYTES = 1024 * 1024
_OPS = {"sum": MPI.SUM, "max": MPI.MAX, "min": MPI.MIN}


class MpiCommunicator(Communicator):
    """All ranks that are present, over private duplicates of MPI's world.

    One duplicate carries the data, another one the message that a rank has stopped: interrupted
    work can leave messages behind on the first, which is then never used again. If collectives are
    checked, a third one carries the checks. The parameters are those of
    :func:`matexapps.comm.world.open_world`.
    """

    def __init__(self, timeout_s: float, check: bool) -> None:
        self._prepare(timeout_s, check)
        self._open()
        self.renewals = runtime.membership.generation

    @classmethod
    def unopened(cls, timeout_s: float, check: bool) -> Self:
        """Return one that is broken until it is renewed. Not collective."""
        world = cls.__new__(cls)
        world._prepare(timeout_s, check)
        comm = runtime.membership.comm
        world.rank, world.world_size = comm.rank, comm.size
        world._waiting = Waiting(timeout_s, runtime.membership)
        world._waiting.mark_broken("its ranks were replaced", notify=False)
        world._data = MPI.COMM_SELF
        return world

    def _prepare(self, timeout_s: float, check: bool) -> None:
        self.hostname = MPI.Get_processor_name()
        self.fault_tolerant = fault_tolerance_enabled()
        self.timeout_s, self.check = timeout_s, check
        self._kills_unresponsive = False
        self._comms: list[MPI.Intracomm] = []

    def _open(self) -> None:
        world = runtime.membership.comm
        self.rank, self.world_size = world.rank, world.size
        self._waiting = Waiting(self.timeout_s, runtime.membership)
        self._waiting.kills_unresponsive = self._kills_unresponsive
        self._comms = []
        self._data = self._duplicate(world)
        self._waiting.listen_on(self._duplicate(world))
        self._exchange_topology()
        self._mean_buffers = itertools.count(1)
        self._shared_rows = SharedRows(self._allocate_shared)
        self._checks = self._open_checks(self.check)

    def _duplicate(self, comm: MPI.Intracomm) -> MPI.Intracomm:
        duplicate = self._waiting.duplicate(comm)
        self._comms.append(duplicate)
        return duplicate

    def _exchange_topology(self) -> None:
        """Learn who the other ranks are, and which of them share this rank's memory."""
        membership = runtime.membership
        own = RankInfo.of_this_process(self.hostname, membership)
        topology = Topology(tuple(map(pickle.loads, self._all_gather(pack(own)))))
        local = topology.local_ranks(self.rank)
        self.local_rank, self.local_size = local.index(self.rank), len(local)
        if self.local_size > (os.cpu_count() or 1):
            self._waiting.never_spin()
        membership.generation = topology.generation
        if self.fault_tolerant and topology.has_new_ranks:
            membership.members = topology.members()
            membership.liveness_comm = self._waiting.duplicate(membership.comm)

    def _open_checks(self, wanted: bool) -> CollectiveChecks | None:
        wanted_by_any = np.array([wanted], np.uint8)
        self._all_reduce([wanted_by_any], "max")
        if not wanted_by_any[0]:
            return None
        return CollectiveChecks(self._duplicate(self._data), self._waiting, self._all_gather)

    def renew(self) -> None:
        """Open it again over the ranks that are present. Collective; buffers become unusable."""
        self._open()
        self.renewals += 1

    def revoke(self) -> None:
        """End every rank's waits on it, because a rank has failed. Not collective."""
        self._waiting.mark_broken("a rank failed", notify=False)
        for comm in self._comms:
            comm.Revoke()

    def free(self) -> None:
        """Free all duplicates. Collective, except after :meth:`revoke`."""
        for comm in self._comms:
            comm.Free()
        self._comms = []

    @contextmanager
    def killing_unresponsive_ranks(self) -> Iterator[None]:
        before, self._kills_unresponsive = self._kills_unresponsive, True
        self._waiting.kills_unresponsive = True
        try:
            yield
        finally:
            self._waiting.kills_unresponsive = self._kills_unresponsive = before

    def confirm_success(self) -> None:
        self._refuse_if_broken()
        self._waiting.agree(self._data, "the end")

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return bool(self._data == MPI.COMM_NULL)

    @property
    def waited_s(self) -> float:
        return self._waiting.waited_s

    @property
    def broken(self) -> bool:
        return self._waiting.broken_by is not None

    def _begin(
        self, operation: str, detail: object = None, array: NDArray[Any] | None = None
    ) -> None:
        """Refuse to continue if messages were lost; if asked to, check that all ranks are here."""
        self._refuse_if_broken()
        if self._checks is not None:
            self._checks.check(operation, detail, array)

    def _refuse_if_broken(self) -> None:
        if self._waiting.broken_by is not None:
            raise CommunicationError(
                f"this communicator was left in the middle of a message "
                f"({self._waiting.broken_by}); open a new one with open_world()"
            )

    def _synchronize(self, operation: str, detail: object) -> None:
        """Return when every rank has called this. A check synchronizes the ranks, too."""
        self._begin(operation, detail)
        if self._checks is None:
            self._barrier()

    def barrier(self) -> None:
        self._begin("barrier()")
        self._barrier()

    def _barrier(self) -> None:
        self._refuse_if_broken()
        self._waiting.run("barrier", self._data.Ibarrier)

    def broadcast(self, array: NDArray[Any], root: int = 0) -> None:
        pieces = in_pieces(array)
        self._begin("broadcast(root={})", root, array)
        self._broadcast(pieces, root)

    def _broadcast(self, pieces: list[NDArray[Any]], root: int) -> None:
        for piece in pieces:
            self._waiting.run("broadcast", self._data.Ibcast, piece, root=root)

    def all_reduce(self, array: NDArray[Any], op: Op = "sum") -> None:
        pieces = in_pieces(array)
        self._begin("all_reduce({})", op, array)
        self._all_reduce(pieces, op)

    def _all_reduce(self, pieces: list[NDArray[Any]], op: Op) -> None:
        for piece in pieces:
            self._waiting.run("all_reduce", self._data.Iallreduce, MPI.IN_PLACE, piece, op=_OPS[op])

    def broadcast_object(self, value: T, root: int = 0) -> T:
        content = pack(value) if self.rank == root else b""
        self._begin("broadcast_object(root={})", root)
        return self._broadcast_packed(value, content, root)

    def _broadcast_packed(self, value: T, content: bytes, root: int) -> T:
        length = np.array([len(content)], np.int64)
        self._broadcast([length], root)
        data = np.empty(int(length[0]), np.uint8)
        if self.rank == root:
            data[:] = np.frombuffer(content, np.uint8)
        self._broadcast(in_pieces(data), root)
        # The bytes come from a rank of this job, never from a file.
        return value if self.rank == root else pickle.loads(data.tobytes())

    def all_gather_object(self, value: T) -> list[T]:
        content = pack(value)
        self._begin("all_gather_object()")
        return [
            value if rank == self.rank else pickle.loads(packed)
            for rank, packed in enumerate(self._all_gather(content))
        ]

    def _all_gather(self, content: bytes) -> list[bytes]:
        own = np.frombuffer(content, np.uint8)
        lengths = np.zeros(self.world_size, np.int64)
        lengths[self.rank] = len(own)
        self._all_reduce([lengths], "sum")
        joined = np.empty(int(lengths.sum()), np.uint8)
        starts = starts_of(lengths)
        parts = [joined, lengths, starts, MPI.BYTE]
        self._waiting.run("all_gather", self._data.Iallgatherv, own, parts)
        return [joined[s : s + n].tobytes() for s, n in zip(starts, lengths, strict=True)]

    def all_gather_rows(
        self, array: NDArray[Any], counts: Sequence[int] | None = None
    ) -> NDArray[Any]:
        if counts is None:
            counts = self.all_gather_object(len(array))
        row = array.shape[1:]
        call = "all_gather_rows{0[0]} of {0[1]} rows {0[2]}", (tuple(counts), array.dtype, row)
        joined = np.empty((sum(counts), *row), array.dtype)
        starts = [0, *itertools.accumulate(counts)]
        row_bytes = joined.nbytes // max(1, len(joined))
        if joined.nbytes <= _MAX_SHARED_BYTES and self.local_size == self.world_size:
            self._refuse_if_broken()
            first = starts[self.rank] * row_bytes
            synchronize = partial(self._synchronize, *call)
            self._shared_rows.join(as_bytes(array), first, as_bytes(joined), synchronize)
            return joined
        self._begin(*call)
        if joined.nbytes < _MAX_MESSAGE_BYTES:
            sizes = [count * row_bytes for count in counts]
            offsets = [start * row_bytes for start in starts[:-1]]
            parts = [as_bytes(joined), sizes, offsets, MPI.BYTE]
            self._waiting.run("all_gather_rows", self._data.Iallgatherv, as_bytes(array), parts)
            return joined
        joined[starts[self.rank] : starts[self.rank + 1]] = array
        for root, (start, end) in enumerate(itertools.pairwise(starts)):
            self._broadcast(in_pieces(joined[start:end]), root)
        return joined

    def mean_buffer(self, length: int, dtype: type[np.floating[Any]]) -> MeanBuffer:
        what = length, np.dtype(dtype).name
        self._begin("mean_buffer({0[0]}, {0[1]})", what)
        self._barrier()
        average = "average() of mean buffer {0[0]} of {0[2]} ({0[1]},)"
        call = average, (next(self._mean_buffers), *what)
        if self.local_size == self.world_size:
            synchronize, ranks = partial(self._synchronize, *call), (self.rank, self.world_size)
            allocate, barrier = self._allocate_shared, self._barrier
            return SharedMemoryMean(allocate, synchronize, barrier, *ranks, length, dtype)
        return MessageMean(self._data, self._waiting, partial(self._begin, *call), length, dtype)

    def _allocate_shared(self, size: int) -> NDArray[np.uint8]:
        def broadcast(text: str) -> str:
            return self._broadcast_packed(text, pack(text), 0)

        return shared_memory(size, self.rank == 0, broadcast, self._barrier)

    def c_library(self, names: Sequence[str]) -> CLibrary | None:
        self._begin("c_library({})", ", ".join(names))
        functions = load_c_library(names)
        loaded = self._all_gather(b"loaded" if functions is not None else b"")
        if functions is None or not all(loaded):
            return None
        return with_handles(functions, self._data)

    def abort(self, reason: str) -> None:
        self._waiting.mark_broken(reason)

    def close(self) -> None:
        # Freeing is collective, but the ranks of a broken communicator no longer act together.
        if self.broken or self.closed:
            return
        self._begin("close()")
        self.free()
