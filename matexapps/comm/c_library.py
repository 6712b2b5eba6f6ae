"""C libraries that call MPI themselves, such as PnetCDF."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mpi4py import MPI

_Handle = (
    ctypes.c_void_p if MPI._sizeof(MPI.Comm) == ctypes.sizeof(ctypes.c_void_p) else ctypes.c_int
)


@dataclass(frozen=True)
class CLibrary:
    """A loaded library, and handles of MPI for its functions.

    Its collective functions block until every rank has called them, and cannot be interrupted.

    Attributes
    ----------
    functions : ctypes.CDLL
    communicator, no_info : ctypes value
        An ``MPI_Comm`` over all ranks, and ``MPI_INFO_NULL``.
    """

    functions: ctypes.CDLL
    communicator: Any
    no_info: Any


def load_c_library(names: Sequence[str]) -> ctypes.CDLL | None:
    """Return the first of these libraries that is linked to the MPI that mpi4py uses, or None."""
    for name in names:
        try:
            functions = ctypes.CDLL(name)
            linked_version = _version(functions)
        except (OSError, AttributeError):
            continue
        if linked_version == MPI.Get_library_version().rstrip("\0"):
            return functions
    return None


def with_handles(functions: ctypes.CDLL, communicator: MPI.Comm) -> CLibrary:
    """Return the library with handles for a communicator."""
    return CLibrary(functions, _Handle(communicator.handle), _Handle(MPI.INFO_NULL.handle))


def _version(functions: ctypes.CDLL) -> str:
    """Return the version text of the MPI that a library is linked to."""
    text = ctypes.create_string_buffer(MPI.MAX_LIBRARY_VERSION_STRING)
    functions.MPI_Get_library_version(text, ctypes.byref(ctypes.c_int()))
    return text.value.decode(errors="replace")
