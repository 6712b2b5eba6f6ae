"""The ranks that ``mpiexec`` started, or this process alone."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import numpy as np

from matexapps.comm.communicator import Communicator
from matexapps.comm.failures.restarts import restarts
from matexapps.comm.single import SingleProcess
from matexapps.errors import RankFailureError
from matexapps.progress import report

if TYPE_CHECKING:
    from matexapps.comm.failures.membership import Member
    from matexapps.comm.interruptible import InterruptibleWorld
    from matexapps.comm.mpi import MpiCommunicator

CHECK_COLLECTIVES = "MATEXAPPS_CHECK_COLLECTIVES"
_RENEWAL_TIMEOUT_S = 30.0
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
    if not several_ranks():
        return SingleProcess()
    from matexapps.comm.failures.membership import fault_tolerant
    from matexapps.comm.mpi import MpiCommunicator

    if check is None:
        check = os.environ.get(CHECK_COLLECTIVES) == "1"
    if fault_tolerant():
        world = _open_with_those_left(timeout_s, check)
    else:
        world = MpiCommunicator(timeout_s, check)
    _worlds[next(_numbers)] = world
    return world


def _open_with_those_left(timeout_s: float, check: bool) -> MpiCommunicator:
    from matexapps.comm.mpi import MpiCommunicator

    with prepared_for_failures():
        while True:
            try:
                world = MpiCommunicator(timeout_s, check)
                world.confirm_success()
                return world
            except RankFailureError:
                if restarts():
                    raise
                shrink_world(timeout_s)


@contextmanager
def prepared_for_failures() -> Iterator[None]:
    """Tell whoever watches this rank that it goes on, inside, when others are lost."""
    report({"kind": "prepared", "on": True})
    try:
        yield
    finally:
        report({"kind": "prepared", "on": False})


# By the order in which they were opened, which is the same on all ranks.
_worlds: WeakValueDictionary[int, MpiCommunicator | InterruptibleWorld] = WeakValueDictionary()
_numbers = itertools.count()


def pack_world(world: MpiCommunicator) -> tuple[Any, ...]:
    """Return how to make a communicator again on ranks that were started anew (for pickle).

    It is broken at first; :func:`renew_worlds` opens it over all ranks that hold it.
    """
    number = next(number for number, known in _worlds.items() if known is world)
    return _unpack_world, (number, world.timeout_s, world.check)


def _unpack_world(number: int, timeout_s: float, check: bool) -> Communicator:
    global _numbers
    if not several_ranks():
        return SingleProcess()
    from matexapps.comm.mpi import MpiCommunicator

    known = _worlds.get(number)
    world = known if isinstance(known, MpiCommunicator) else None
    if world is None:
        world = MpiCommunicator(timeout_s, check, opened=False)
        _worlds[number] = world
        _numbers = itertools.count(max(next(_numbers), number + 1))
    return world


def watch_user_world() -> None:
    """Make the waits of a user's own code on ``MPI.COMM_WORLD`` stoppable. Collective.

    For interactive work; :func:`renew_worlds` then looks after that world too.
    """
    if several_ranks():
        from matexapps.comm.interruptible import make_world_interruptible

        _worlds[next(_numbers)] = make_world_interruptible()


def several_ranks() -> bool:
    """Whether a launcher started this process with others."""
    if not under_mpiexec():
        return False
    from matexapps.comm.failures.membership import started_with

    return started_with() > 1


def renew_worlds() -> None:
    """Open again, in place, the communicators that were broken when work was cut short.

    For interactive work, where a name such as ``comm`` outlives a cell that was stopped or failed.
    Collective over all ranks, at a moment when none of them is in another collective. What not
    every rank holds any more stays broken.
    """
    if several_ranks():
        _renew(everything=False)


def _renew(everything: bool) -> None:
    global _numbers
    from matexapps.comm.mpi import MpiCommunicator

    with MpiCommunicator(_RENEWAL_TIMEOUT_S, check=False) as comm:
        held = {
            number: everything or world.broken
            for number, world in _worlds.items()
            if not world.closed
        }
        # Work that was cut short may have opened one more on some ranks than on others.
        upcoming = next(_numbers)
        everywhere = comm.all_gather_object((held, upcoming))
    _numbers = itertools.count(max(number for _, number in everywhere))
    common = set.intersection(*(set(held) for held, _ in everywhere))
    for number in sorted(common):
        if any(held[number] for held, _ in everywhere):
            _worlds[number].renew()


def come_together() -> tuple[int, int]:
    """Return rank and size of the world when all that are left have come. Collective over them.

    For interactive work, after a rank died where no other was prepared for it.
    """
    with open_world(_RENEWAL_TIMEOUT_S, check=False) as comm:
        return comm.rank, comm.world_size


def replace_failed_ranks(timeout_s: float) -> tuple[list[Member], int]:
    """Start ranks in place of those that are gone. Collective over those that are left.

    All communicators are given up. The new ranks run the program from its first line, and come
    after the others.

    Parameters
    ----------
    timeout_s : float
        The longest that the others may take to notice.

    Returns
    -------
    list of Member
        Who was lost, by the numbers they had.
    int
        How many ranks there were, and are again.
    """
    global _numbers
    from matexapps.comm.failures.membership import base, replace, shrink, started_with
    from matexapps.comm.waiting import Waiting

    lost: list[Member] = []
    for world in list(_worlds.values()):
        world.revoke()
        world.free()
    _worlds.clear()
    _numbers = itertools.count()
    while True:
        try:
            lost += shrink(Waiting(timeout_s, base(), after_loss=True))
            replace(started_with() - base().comm.size)
        except RankFailureError:
            continue
        return lost, started_with()


def shrink_world(timeout_s: float) -> list[Member]:
    """Go on with the ranks that are still there, in place. Collective over them.

    All communicators are opened again over them; ranks are numbered anew, in the same order.

    Parameters
    ----------
    timeout_s : float
        The longest that the others may take to notice.

    Returns
    -------
    list of Member
        Who was lost, by the numbers they had.
    """
    from matexapps.comm.failures.membership import base, shrink
    from matexapps.comm.waiting import Waiting

    lost: list[Member] = []
    while True:
        for world in list(_worlds.values()):
            world.revoke()
        try:
            lost += shrink(Waiting(timeout_s, base(), after_loss=True))
            _renew(everything=True)
            agreed = np.ones(1, np.int32)
            Waiting(timeout_s, base()).run("the end", base().comm.Iagree, agreed)
        except RankFailureError:
            continue
        report({"kind": "survived", "lost": len(lost)})
        return lost
