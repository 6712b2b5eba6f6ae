"""Classic NetCDF files, opened and read collectively with the PnetCDF library."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from matexapps.comm.communicator import Communicator
from matexapps.errors import DataError

if TYPE_CHECKING:
    from matexapps.comm.c_library import CLibrary

# Debian's name, those of PnetCDF's own releases, and the one that compilers look for.
_NAMES = ("libpnetcdf.so.0d", "libpnetcdf.so.6", "libpnetcdf.so.4", "libpnetcdf.so")
_READ_ONLY = 0
_C_TYPES = {
    "S1": "text",
    "i1": "schar",
    "u1": "uchar",
    "i2": "short",
    "u2": "ushort",
    "i4": "int",
    "u4": "uint",
    "i8": "longlong",
    "u8": "ulonglong",
    "f4": "float",
    "f8": "double",
}


def pnetcdf_library(comm: Communicator) -> CLibrary | None:
    """Return PnetCDF if every rank finds it, for the MPI in use; None otherwise. Collective."""
    return comm.c_library(_NAMES)


class PnetcdfFile:
    """A classic file that all ranks open together.

    Every method is collective, and waits inside the library for every rank; such a wait cannot be
    interrupted.

    Parameters
    ----------
    path : Path
        A CDF-1, CDF-2 or CDF-5 file.
    library : CLibrary
        PnetCDF.

    Raises
    ------
    DataError
        If the library cannot open it.
    """

    def __init__(self, path: Path, library: CLibrary) -> None:
        self._path, self._functions = path, library.functions
        self._functions.ncmpi_strerror.restype = ctypes.c_char_p
        number = ctypes.c_int()
        name = os.fsencode(path.absolute())
        self._check(
            "ncmpi_open",
            library.communicator,
            name,
            _READ_ONLY,
            library.no_info,
            ctypes.byref(number),
        )
        self._file = number

    def read(
        self, name: str, dtype: np.dtype[Any], start: tuple[int, ...], count: tuple[int, ...]
    ) -> NDArray[Any]:
        """Return this rank's part of a variable; each rank may request another part, or none.

        Parameters
        ----------
        name : str
        dtype : numpy.dtype
            The variable's own type.
        start, count : tuple of int, one for each axis
            Where the part starts, and how long it is.

        Returns
        -------
        ndarray, shape ``count``, native byte order

        Raises
        ------
        DataError
            If the library cannot read it; the other ranks' reads succeed.
        """
        number = ctypes.c_int()
        self._check("ncmpi_inq_varid", self._file, name.encode(), ctypes.byref(number))
        native = dtype.newbyteorder("=")
        values = np.empty(count, native)
        offsets = ctypes.c_longlong * len(count)
        self._check(
            f"ncmpi_get_vara_{_C_TYPES[native.str[1:]]}_all",
            self._file,
            number,
            offsets(*start),
            offsets(*count),
            values.ctypes.data_as(ctypes.c_void_p),
        )
        return values

    def close(self) -> None:
        """Close the file."""
        self._check("ncmpi_close", self._file)

    def _check(self, function: str, *arguments: Any) -> None:
        code = getattr(self._functions, function)(*arguments)
        if code:
            reason = self._functions.ncmpi_strerror(code).decode(errors="replace")
            raise DataError(f"{self._path}: PnetCDF's {function} failed ({reason}); copy it again")
