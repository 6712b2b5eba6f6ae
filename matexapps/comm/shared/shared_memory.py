"""Memory that all ranks of one host see, without MPI's windows.

A window is made and freed by calls that block, and one whose ranks have died cannot be freed at
all. Here it is a file, in memory where the system has such a place, whose name is gone as soon as
every rank has opened it: nothing is left behind, however the ranks end.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from matexapps.errors import CommunicationError

_IN_MEMORY = Path("/dev/shm")


def shared_memory(
    size: int, is_root: bool, tell: Callable[[str], str], barrier: Callable[[], None]
) -> NDArray[np.uint8]:
    """Return ``size`` bytes that all ranks share. Collective.

    Parameters
    ----------
    size : int
        The same on every rank.
    is_root : bool
        Whether this rank makes it.
    tell : callable
        Returns the root's text on every rank.
    barrier : callable
        Returns once every rank has called it.

    Raises
    ------
    CommunicationError
        On every rank, if there is no room for it.
    """
    name = tell(_made(size) if is_root else "")
    if not name:
        raise CommunicationError(
            f"no room for the {size / 1e6:.0f} MB that ranks share in {_IN_MEMORY} or "
            f"{tempfile.gettempdir()}: free some, or set TMPDIR to a folder with room"
        )
    try:
        with open(name, "r+b") as file:
            memory = mmap.mmap(file.fileno(), size)
        barrier()
    finally:
        if is_root:
            os.unlink(name)
    return np.frombuffer(memory, np.uint8)


def _made(size: int) -> str:
    for folder in (_IN_MEMORY, Path(tempfile.gettempdir())):
        try:
            descriptor, name = tempfile.mkstemp(prefix="matexapps-", dir=folder)
        except OSError:
            continue
        try:
            # Room is taken now: without it, the first write would end the process.
            os.posix_fallocate(descriptor, 0, size)
            return name
        except OSError:
            os.unlink(name)
        finally:
            os.close(descriptor)
    return ""
