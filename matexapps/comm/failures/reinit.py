"""Starting again in place: after a loss all ranks run an entry anew, with new ranks for the lost.

This is Reinit (Laguna et al., "Evaluating and extending user-level fault tolerance in MPI
applications", IJHPCA 30(3), 2016), with MPI_Comm_spawn for the runtime's part.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from matexapps.comm.failures.fault_tolerant import RankFailure
from matexapps.comm.failures.restarts import restarting
from matexapps.comm.world import open_world, replace_failed_ranks, several_ranks
from matexapps.errors import PreflightError, RankFailureError
from matexapps.launch.mpiexec import FINISHED

T = TypeVar("T")


def rerun_after_failures(
    entry: Callable[[], T], timeout_s: float, before_restart: Callable[[RankFailure], object]
) -> T:
    """Run ``entry`` on all ranks, and again on all when some are lost. Collective.

    Parameters
    ----------
    entry : callable
        What the program does, from the opening of its communicators on.
    timeout_s : float
        The longest that ranks may take to notice a loss, in seconds.
    before_restart : callable
        Is told of each loss on the ranks that are left.

    Returns
    -------
    What ``entry`` returns.

    Raises
    ------
    PreflightError
        If ranks of this MPI, or started in this way, do not outlive each other.
    """
    if several_ranks():
        _refuse_where_one_death_ends_all()
    with restarting():
        while True:
            try:
                result = entry()
                open_world(timeout_s).close()
                if path := os.environ.get(FINISHED):
                    Path(path).touch()
                return result
            except RankFailureError:
                lost, size = replace_failed_ranks(timeout_s)
                before_restart(
                    RankFailure(tuple((member.rank, member.host) for member in lost), size)
                )


def _refuse_where_one_death_ends_all() -> None:
    from matexapps.comm.failures.membership import fault_tolerant

    if not fault_tolerant():
        raise PreflightError(
            "a restart in place needs ranks that outlive the death of one: start them with Open "
            "MPI's `mpiexec --with-ft ulfm`, or go on from checkpoints with recovery='checkpoint'"
        )
