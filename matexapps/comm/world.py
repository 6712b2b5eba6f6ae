"""Opening a communicator over the ranks that ``mpiexec`` started, or over this process alone.

Importing this module does not start MPI. Only the functions do, and only under a launcher.
"""

from __future__ import annotations

import copyreg
import os
from functools import cache
from typing import TYPE_CHECKING, Any

from matexapps.comm.communicator import Communicator
from matexapps.comm.failures.policy import starting_mpi
from matexapps.comm.single import SingleProcess

if TYPE_CHECKING:
    from matexapps.comm.mpi import MpiCommunicator
    from matexapps.comm.world_registry import WorldRegistry

CHECK_COLLECTIVES = "MATEXAPPS_CHECK_COLLECTIVES"
_TIMEOUT_S = 30.0
_LAUNCHER_VARIABLES = ("OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_SIZE")


def under_mpiexec() -> bool:
    """Whether an MPI launcher started this process."""
    return any(name in os.environ for name in _LAUNCHER_VARIABLES)


def several_ranks() -> bool:
    """Whether a launcher started this process together with others."""
    return under_mpiexec() and world_registry().initial_size > 1


@cache
def world_registry() -> WorldRegistry:
    """Return the communicators over MPI of this process; the first call starts MPI."""
    with starting_mpi():
        from matexapps.comm.mpi import MpiCommunicator
        from matexapps.comm.world_registry import WorldRegistry
    copyreg.pickle(MpiCommunicator, _reduce)
    return WorldRegistry()


def open_world(timeout_s: float = 600.0, check: bool | None = None) -> Communicator:
    """Open a private communicator over all ranks. Collective.

    Each call duplicates the world anew, so that interrupted work leaves nothing behind for the
    next. Use it as a context manager: if an exception leaves the block, the other ranks are freed
    from their waits.

    Parameters
    ----------
    timeout_s : float
        The limit for a single wait for other ranks, in seconds.
    check : bool or None
        Whether ranks check before each collective that all of them call the same one, so that a
        mistake is an error that names both lines instead of a hang. All ranks check if one of them
        asks for it. Default: whether the environment variable ``MATEXAPPS_CHECK_COLLECTIVES`` is 1.

    Returns
    -------
    Communicator
        Over MPI if a launcher started this process together with others; otherwise the
        single-process communicator, which does not touch MPI.
    """
    if not several_ranks():
        return SingleProcess()
    if check is None:
        check = os.environ.get(CHECK_COLLECTIVES) == "1"
    return world_registry().open(timeout_s, check)


def make_user_world_interruptible() -> None:
    """Make a user's own waits on ``MPI.COMM_WORLD`` interruptible. Collective.

    For interactive work; :func:`renew_worlds` then renews that world, too.
    """
    if several_ranks():
        world_registry().make_user_world_interruptible()


def renew_worlds() -> None:
    """Open communicators again, in place, that were broken when work was interrupted. Collective.

    For interactive work, where a name such as ``comm`` lives on after a cell that was interrupted
    or failed. Call it at a moment when no rank is in another collective. A communicator that some
    rank no longer has stays broken.
    """
    if several_ranks():
        world_registry().renew()


def rank_and_world_size() -> tuple[int, int]:
    """Return this rank's present number, and how many ranks are present. Collective.

    For interactive work, after a rank failed while the others did nothing that tolerates failures.
    """
    with open_world(_TIMEOUT_S, check=False) as comm:
        return comm.rank, comm.world_size


def _reduce(world: MpiCommunicator) -> tuple[Any, ...]:
    """Return how pickle recreates a communicator, on ranks that replace the present ones."""
    return _recreate, (world_registry().number_of(world), world.timeout_s, world.check)


def _recreate(number: int, timeout_s: float, check: bool) -> Communicator:
    if not several_ranks():
        return SingleProcess()
    return world_registry().recreate(number, timeout_s, check)
