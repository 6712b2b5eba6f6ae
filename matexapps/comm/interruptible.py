"""MPI's world for a user's own mpi4py code in interactive work: its waits can be stopped."""

from __future__ import annotations

import math

from mpi4py import MPI

from matexapps.comm.failures.membership import base
from matexapps.comm.interruptible_comm import InterruptibleComm
from matexapps.comm.waiting import Waiting


class InterruptibleWorld(InterruptibleComm):
    """A world for a user's code, over a private duplicate of MPI's own."""

    renewals = 0
    closed = False

    def renew(self) -> None:
        """Give it a new handle after it was broken, so that names for it stay good. Collective."""
        self.take_over(_duplicate())
        self.renewals += 1


def make_world_interruptible() -> InterruptibleWorld:
    """Put an interruptible world in the place of ``MPI.COMM_WORLD`` and return it. Collective."""
    world = InterruptibleWorld(_duplicate())
    MPI.COMM_WORLD = world  # type: ignore[misc]
    return world


def _duplicate() -> MPI.Intracomm:
    return Waiting(math.inf, base()).duplicate(base().comm)
