"""Memory that all ranks of one host share, without MPI's windows.

A window is created and freed by calls that block, and a window whose ranks have failed cannot be
freed at all. Here the memory is a file, on a file system in memory if there is one. Its name is
removed as soon as every rank has opened it, so nothing is left behind, however the ranks end.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.filesize import decimal

from matexapps.errors import CommunicationError

_IN_MEMORY = Path("/dev/shm")


def shared_memory(
    size: int, is_root: bool, broadcast: Callable[[str], str], barrier: Callable[[], None]
) -> NDArray[np.uint8]:
    """Return ``size`` bytes that all ranks share. Collective.

    Parameters
    ----------
    size : int
        The same on every rank.
    is_root : bool
        Whether this rank creates the memory.
    broadcast : callable
        Returns the root's text on every rank.
    barrier : callable
        Returns when every rank has called it.

    Raises
    ------
    CommunicationError
        On every rank, if there is no room.
    """
    name = broadcast(_create(size) if is_root else "")
    if not name:
        raise CommunicationError(
            f"no room for the {decimal(size)} that ranks share in {_IN_MEMORY} or "
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


def _create(size: int) -> str:
    """Return the path of a new file of ``size`` bytes, "" if there is no room for one."""
    for folder in (_IN_MEMORY, Path(tempfile.gettempdir())):
        try:
            descriptor, name = tempfile.mkstemp(prefix="matexapps-", dir=folder)
        except OSError:
            continue
        try:
            # Reserve the room now: a first write without room would end the process.
            os.posix_fallocate(descriptor, 0, size)
            return name
        except OSError:
            os.unlink(name)
        finally:
            os.close(descriptor)
    return ""
