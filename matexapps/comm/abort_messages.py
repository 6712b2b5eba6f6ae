"""Messages with which a rank that stops frees the others from their waits."""

from __future__ import annotations

import atexit
import time
from contextlib import suppress

from mpi4py import MPI

from matexapps.errors import PeerAborted

_ABORT, _RECEIPT = 1, 2
_SLEEP_S = 1e-3
_EXIT_DELAY_S = 2.0


class AbortMessages:
    """The messages of one communicator.

    Parameters
    ----------
    control : mpi4py.MPI.Comm
        A communicator over the same ranks that carries nothing else.
    """

    def __init__(self, control: MPI.Comm) -> None:
        self._control = control
        self._without_receipt: set[int] = set()
        self._requests: list[MPI.Request] = []

    def send(self, reason: str) -> None:
        """Tell every other rank that this one has stopped because of ``reason``. Not collective.

        If this rank exits now, it first gives the others a short time to read the message: when
        one rank fails, a launcher ends the others, which would cut them off in the middle of a
        wait.
        """
        rank, size = self._control.rank, self._control.size
        self._without_receipt = set(range(size)) - {rank}
        message = (rank, MPI.Get_processor_name(), reason)
        self._requests += [
            self._control.isend(message, dest, _ABORT) for dest in self._without_receipt
        ]
        atexit.register(self._wait_for_receipts, time.monotonic() + _EXIT_DELAY_S)

    def arrived(self) -> bool:
        """Whether there is a message to receive."""
        return self._control.Iprobe(MPI.ANY_SOURCE, _ABORT)

    def receive(self) -> PeerAborted:
        """Return a message as an error, and send its sender a receipt."""
        rank, host, reason = self._control.recv(source=MPI.ANY_SOURCE, tag=_ABORT)
        self._requests.append(self._control.isend(None, rank, _RECEIPT))
        return PeerAborted(f"rank {rank} on {host} stopped with {reason}")

    def _wait_for_receipts(self, deadline: float) -> None:
        status = MPI.Status()
        # By now the communicator may have been freed, or ranks may have failed.
        with suppress(MPI.Exception):
            while self._without_receipt and time.monotonic() < deadline:
                # A rank that has sent a message itself is about to exit, too, and needs no wait.
                while self._control.Iprobe(MPI.ANY_SOURCE, MPI.ANY_TAG, status):
                    self._control.recv(source=status.source, tag=status.tag)
                    self._without_receipt.discard(status.source)
                time.sleep(_SLEEP_S)
