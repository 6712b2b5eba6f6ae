"""Notes by which a rank that gives up frees the others from their waits."""

from __future__ import annotations

import atexit
import time
from contextlib import suppress

from mpi4py import MPI

from matexapps.errors import PeerAborted

_NOTE, _ANSWER = 1, 2
_NAP_S = 1e-3
_FAREWELL_S = 2.0


class AbortNotes:
    """The notes of one communicator.

    Parameters
    ----------
    control : mpi4py.MPI.Comm
        A communicator over the same ranks that carries nothing else.
    """

    def __init__(self, control: MPI.Comm) -> None:
        self._control = control
        self._unaware: set[int] = set()
        self._unfinished: list[MPI.Request] = []

    def send(self, reason: str) -> None:
        """Tell every other rank that this one stopped with ``reason``. Not collective.

        If this rank leaves now, it first waits a little for them to have read it: a launcher ends
        those that are left when one fails, and they would be gone in the middle of a wait.
        """
        rank, size = self._control.rank, self._control.size
        self._unaware = set(range(size)) - {rank}
        note = (rank, MPI.Get_processor_name(), reason)
        self._unfinished += [self._control.isend(note, dest, _NOTE) for dest in self._unaware]
        atexit.register(self._wait_for_answers, time.monotonic() + _FAREWELL_S)

    def arrived(self) -> bool:
        """Whether there is a note to take."""
        return self._control.Iprobe(MPI.ANY_SOURCE, _NOTE)

    def take(self) -> PeerAborted:
        """Return what a note says, as an error, and let its sender know that it was read."""
        rank, host, reason = self._control.recv(source=MPI.ANY_SOURCE, tag=_NOTE)
        self._unfinished.append(self._control.isend(None, rank, _ANSWER))
        return PeerAborted(f"rank {rank} on {host} stopped with {reason}")

    def _wait_for_answers(self, until: float) -> None:
        status = MPI.Status()
        # A communicator may be freed, or have lost ranks, by now.
        with suppress(MPI.Exception):
            while self._unaware and time.monotonic() < until:
                # Who has sent a note itself is about to leave, too.
                while self._control.Iprobe(MPI.ANY_SOURCE, MPI.ANY_TAG, status):
                    self._control.recv(source=status.source, tag=status.tag)
                    self._unaware.discard(status.source)
                time.sleep(_NAP_S)
