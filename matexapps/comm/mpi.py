"""The communicator over MPI."""

from __future__ import annotations

import itertools
import os
import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from matexapps.comm.c_library import CLibrary, load_c_library, with_handles
from matexapps.comm.checks.collective_checks import CollectiveChecks
from matexapps.comm.communicator import Communicator, MeanBuffer, Op
from matexapps.comm.failures.membership import base, fault_tolerant
from matexapps.comm.packing import as_bytes, in_pieces, pack, starts_of
from matexapps.comm.shared.mean_buffers import MessageMean, SharedMemoryMean
from matexapps.comm.shared.shared_memory import shared_memory
from matexapps.comm.shared.shared_rows import SharedRows
from matexapps.comm.topology import Topology, register
from matexapps.comm.waiting import Waiting
from matexapps.comm.world import pack_world
from matexapps.errors import CommunicationError

T = TypeVar("T")

# Counts and places in a message of parts are C ints.
_MOST_BYTES = 2**31
# More would leave the processor's cache.
_SHARED_BYTES = 1024 * 1024
_OPS = {"sum": MPI.SUM, "max": MPI.MAX, "min": MPI.MIN}


class MpiCommunicator(Communicator):
    """All ranks of the job, over private duplicates of MPI's world.

    One duplicate carries the data, one carries the news that a rank gave up: work that is cut
    short can leave messages behind on the first, which is then never used again. Where collectives
    are checked, a third carries the checks.
    """

    ends_silent = False

    def __init__(self, timeout_s: float, check: bool, opened: bool = True) -> None:
        self.hostname = MPI.Get_processor_name()
        self.fault_tolerant = fault_tolerant()
        self.timeout_s, self.check = timeout_s, check
        self._all: list[MPI.Intracomm] = []
        if opened:
            self._open()
            self.renewals = self._base.generation
        else:
            self._stand_in()

    def _stand_in(self) -> None:
        """Be what has to be renewed before it can be used."""
        self._waiting = Waiting(self.timeout_s, base())
        self._waiting.give_up("its ranks were started anew", tell=False)
        self.rank, self.world_size = base().comm.rank, base().comm.size
        self._data = self._control = MPI.COMM_SELF

    def _open(self) -> None:
        self._base = base()
        world = self._base.comm
        self.rank, self.world_size = world.rank, world.size
        self._waiting = Waiting(self.timeout_s, self._base)
        self._waiting.ends_silent = self.ends_silent
        self._all = []
        self._data, self._control = self._duplicate(world), self._duplicate(world)
        self._waiting.listen_on(self._control)
        self._introduce()
        self._mean_buffers = itertools.count(1)
        self._shared_rows = SharedRows(self._share)
        self._agreement = self._open_checks(self.check)

    def __reduce__(self) -> tuple[Any, ...]:
        return pack_world(self)

    def _duplicate(self, comm: MPI.Intracomm) -> MPI.Intracomm:
        duplicate = self._waiting.duplicate(comm)
        self._all.append(duplicate)
        return duplicate

    def _introduce(self) -> None:
        """Learn who the others are, and which of them share this rank's memory."""
        me = Topology.of_this_rank(self.hostname, self._base)
        everybody = [pickle.loads(packed) for packed in self._all_gather(pack(me))]
        here = [rank for rank, other in enumerate(everybody) if other.shares_memory_with(me)]
        self.local_rank, self.local_size = here.index(self.rank), len(here)
        if self.local_size > (os.cpu_count() or 1):
            self._waiting.yield_at_once()
        register(everybody, self._base, self._waiting)

    def _open_checks(self, wanted: bool) -> CollectiveChecks | None:
        wanted_by_any = np.array([wanted], np.uint8)
        self._all_reduce([wanted_by_any], "max")
        if not wanted_by_any[0]:
            return None
        return CollectiveChecks(self._duplicate(self._data), self._waiting, self._all_gather)

    def renew(self) -> None:
        """Open it again over the ranks that are there. Collective; buffers made before are lost."""
        self._open()
        self.renewals += 1

    def revoke(self) -> None:
        """End every wait of every rank on it, for a rank is gone. Not collective."""
        self._waiting.give_up("a rank was lost", tell=False)
        for comm in self._all:
            if comm != MPI.COMM_NULL:
                comm.Revoke()

    def free(self) -> None:
        """Give everything back after :meth:`revoke`, so that MPI's end does not wait for it."""
        for comm in self._all:
            if comm != MPI.COMM_NULL:
                comm.Free()

    @contextmanager
    def failures_expected(self) -> Iterator[None]:
        """Inside, ranks that give no sign of life at the deadline are ended, and count as lost."""
        before, self.ends_silent = self.ends_silent, True
        self._waiting.ends_silent = True
        try:
            yield
        finally:
            self._waiting.ends_silent = self.ends_silent = before

    def confirm_success(self) -> None:
        self._refuse_if_broken()
        self._waiting.run("the end", self._data.Iagree, np.ones(1, np.int32))

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

    def _meet(self, operation: str, detail: object) -> None:
        """Return once every rank has called this; a check is a meeting, too."""
        self._begin(operation, detail)
        if self._agreement is None:
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
        # Bytes that a rank of this very job made a moment ago; nothing from a file.
        return value if self.rank == root else pickle.loads(data.tobytes())

    def all_gather_object(self, value: T) -> list[T]:
        content = pack(value)
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
        places = starts_of(lengths)
        parts = [joined, lengths, places, MPI.BYTE]
        self._waiting.run("all_gather", self._data.Iallgatherv, mine, parts)
        return [joined[s : s + n].tobytes() for s, n in zip(places, lengths, strict=True)]

    def all_gather_rows(
        self, array: NDArray[Any], counts: Sequence[int] | None = None
    ) -> NDArray[Any]:
        if counts is None:
            counts = self.all_gather_object(len(array))
        row = array.shape[1:]
        what = (tuple(counts), array.dtype, row)
        call = "all_gather_rows{0[0]} of {0[1]} rows {0[2]}", what
        joined = np.empty((sum(counts), *row), array.dtype)
        starts = [0, *itertools.accumulate(counts)]
        if joined.nbytes <= _SHARED_BYTES and self.local_size == self.world_size:
            self._refuse_if_broken()
            first = starts[self.rank] * (joined.nbytes // max(1, len(joined)))
            meet = partial(self._meet, *call)
            self._shared_rows.join(as_bytes(array), first, as_bytes(joined), meet)
            return joined
        self._begin(*call)
        if joined.nbytes < _MOST_BYTES:
            row_bytes = joined.nbytes // max(1, len(joined))
            sizes = [count * row_bytes for count in counts]
            places = [start * row_bytes for start in starts[:-1]]
            parts = [as_bytes(joined), sizes, places, MPI.BYTE]
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
            meet, place = partial(self._meet, *call), (self.rank, self.world_size)
            return SharedMemoryMean(self._share, meet, self._barrier, *place, length, dtype)
        begin = partial(self._begin, *call)
        return MessageMean(self._data, self._waiting, begin, length, dtype)

    def _share(self, size: int) -> NDArray[np.uint8]:
        return shared_memory(size, self.rank == 0, self._tell, self._barrier)

    def _tell(self, text: str) -> str:
        return self._broadcast_packed(text, pack(text), 0)

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
        for comm in self._all:
            comm.Free()
