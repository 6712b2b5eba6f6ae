"""Restarting in place: after a failure all ranks run an entry anew, with new ranks for the failed.

This is Reinit (Laguna et al., "Evaluating and extending user-level fault tolerance in MPI
applications", IJHPCA 30(3), 2016), with MPI_Comm_spawn for the runtime's part.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from matexapps.comm.failures.fault_tolerant import RankFailure
from matexapps.comm.failures.policy import enable_reinit, fault_tolerance_enabled
from matexapps.comm.world import open_world, several_ranks, world_registry
from matexapps.errors import PreflightError, RankFailureError
from matexapps.launch.mpiexec import FINISHED_FILE

T = TypeVar("T")


def rerun_after_failures(
    entry: Callable[[], T], timeout_s: float, before_restart: Callable[[RankFailure], object]
) -> T:
    """Run ``entry`` on all ranks, and again on all of them when some fail. Collective.

    Parameters
    ----------
    entry : callable
        What the program does, beginning with the opening of its communicators.
    timeout_s : float
        How long ranks may take to notice a failure, in seconds.
    before_restart : callable
        Called with each failure on the ranks that are left.

    Returns
    -------
    What ``entry`` returns.

    Raises
    ------
    PreflightError
        If this MPI, or the way it was started, does not let ranks continue after a failure.
    """
    if several_ranks() and not fault_tolerance_enabled():
        raise PreflightError(
            "a restart in place needs ranks that continue when another fails: start them with Open "
            "MPI's `mpiexec --with-ft ulfm`, or restart from checkpoints with recovery='checkpoint'"
        )
    with enable_reinit():
        while True:
            try:
                result = entry()
                open_world(timeout_s).close()
            except RankFailureError:
                registry = world_registry()
                failed = registry.replace_failed_ranks(timeout_s)
                before_restart(RankFailure.of_members(failed, registry.initial_size))
                continue
            if path := os.environ.get(FINISHED_FILE):
                Path(path).touch()
            return result
