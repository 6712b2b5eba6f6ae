"""The ranks that ``mpiexec`` started, or this process alone."""

from __future__ import annotations

import os

from matexapps.comm.communicator import Communicator
from matexapps.comm.single import SingleProcess

CHECK_COLLECTIVES = "MATEXAPPS_CHECK_COLLECTIVES"
_LAUNCHER_VARIABLES = ("OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_SIZE")


def under_mpiexec() -> bool:
    """Whether an MPI launcher started this process."""
    return any(name in os.environ for name in _LAUNCHER_VARIABLES)


def open_world(timeout_s: float = 600.0, check: bool | None = None) -> Communicator:
    """Open a private communicator over all ranks, collectively.

    Each call makes a new duplicate of the world, so that work which was stopped in the middle
    leaves nothing behind for the next. Use it as a context manager: leaving it with an exception
    frees the other ranks.

    Parameters
    ----------
    timeout_s : float
        The longest that one wait for other ranks may take, in seconds.
    check : bool or None
        Whether ranks make sure, before each collective, that all call the same, so that a mistake
        is an error that names both places and not a hang. None: if the environment variable
        ``MATEXAPPS_CHECK_COLLECTIVES`` is 1. All ranks check if one of them wants it.

    Returns
    -------
    Communicator
        Over MPI when a launcher started this process with more than one rank; otherwise the
        one-rank twin, which does not touch MPI.
    """
    if not under_mpiexec():
        return SingleProcess()
    from mpi4py import MPI

    if MPI.COMM_WORLD.size == 1:
        return SingleProcess()
    from matexapps.comm.mpi import MpiCommunicator

    if check is None:
        check = os.environ.get(CHECK_COLLECTIVES) == "1"
    return MpiCommunicator(timeout_s, check)
