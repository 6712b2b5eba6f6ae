"""Reads NetCDF, classic (CDF-1, CDF-2, CDF-5) and NetCDF-4: every variable along one dimension.

Rows run along one dimension of the file; :func:`matexapps.data.netcdf.layout.row_dimension` has the
rules that choose it. A variable with this dimension in another position is transposed so that it
comes first. Variables of two dimensions are matrices: the texts of the other dimension's coordinate
variable name their columns, if they are all different; otherwise they are name_0, name_1, ...
Variables without the dimension are left out, and so are arrays of texts. The coordinate variable of
the rows, such as time, is a column like any other. Fill values, packed numbers and other attributes
are explained in :mod:`matexapps.data.netcdf.values`.
"""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import NDArray

from matexapps.data.netcdf.classic import CLASSIC_MAGIC, check_classic
from matexapps.data.netcdf.layout import (
    StoredArray,
    row_dimension,
    stored_arrays,
    unlimited_dimensions,
)
from matexapps.data.netcdf.values import Decoding, texts, without_coding
from matexapps.data.schema.schema import Schema
from matexapps.data.sources.table import Table, Variable, plain_attributes
from matexapps.errors import DataError

_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_MOST_BYTES = 2**30
_MOST_EXPANSION = 2000  # A variable may be this many times the size of its file; zlib reaches 1030.
_MOST_COLUMNS = 2**20

# The C library is not thread-safe, and its Python package lets other threads run during a read.
_one_thread = threading.RLock()


class NetcdfTable(Table):
    """The variables of a NetCDF file that have its row dimension.

    Parameters
    ----------
    path : Path
        A NetCDF file.
    schema : Schema
        Its ``dimension`` names the dimension that the rows run along; its ``columns`` name the
        columns of a matrix that has no names.

    Attributes
    ----------
    is_classic : bool
        Whether it is a CDF-1, CDF-2 or CDF-5 file.

    Raises
    ------
    DataError
        If this is not a complete NetCDF file, its row dimension is ambiguous, or it holds no
        variable of numbers or texts along it.
    """

    def __init__(self, path: Path, schema: Schema) -> None:
        self.path = path
        with path.open("rb") as file:
            magic = file.read(len(_HDF5_MAGIC))
        self.is_classic = magic[:4] in CLASSIC_MAGIC
        if self.is_classic:
            check_classic(path)
        elif not magic:
            raise DataError(f"{path} is not a NetCDF file: it is empty; write or copy it again")
        elif magic != _HDF5_MAGIC:
            raise DataError(f"{path} is not a NetCDF file: it starts with the bytes {magic!r}")
        with _library(f"{path} is not a complete NetCDF file"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._file = netCDF4.Dataset(path, "r")
        try:
            with _library(f"{path} is not a complete NetCDF file"):
                self._open(schema)
        except BaseException:
            self.close()
            raise

    def _open(self, schema: Schema) -> None:
        self._file.set_auto_maskandscale(False)
        self._file.set_auto_chartostring(False)
        arrays = stored_arrays(self._file)
        if not arrays:
            raise DataError(f"{self.path} holds no variable of numbers or texts with a dimension")
        growing = unlimited_dimensions(self._file)
        self._rows = row_dimension(arrays, growing, schema, str(self.path))
        self._arrays = {a.name: a for a in arrays if a.gives_rows_along(self._rows)}
        if not self._arrays:
            raise DataError(
                f"{self.path} holds no variable of numbers or texts along {self._rows!r}; "
                "choose another dimension="
            )
        for array in self._arrays.values():
            self._check_size(array)
        self._decodings = {
            name: Decoding.declared(array.dtype, array.attributes)
            for name, array in self._arrays.items()
            if not array.is_text
        }
        coordinates = {a.name: a for a in arrays if a.is_text and a.gives_rows_along(a.name)}
        used = {*self._arrays, *coordinates}
        self.left_out = [
            f"{a.name} ({' x '.join(a.dimensions)})" for a in arrays if a.name not in used
        ]
        self.variables = [
            self._variable(array, coordinates, schema) for array in self._arrays.values()
        ]
        first = next(iter(self._arrays.values()))
        self._length = first.shape[self.row_axis(first)]

    def __len__(self) -> int:
        return self._length

    @property
    def block_rows(self) -> int:
        """How many rows are compressed together."""
        arrays = self._arrays.values()
        return max((a.chunks[self.row_axis(a)] for a in arrays if a.chunks), default=1)

    def read(self, name: str, start: int, stop: int) -> NDArray[Any]:
        array = self._arrays[name]
        index: list[slice] = [slice(None)] * len(array.shape)
        index[self.row_axis(array)] = slice(start, stop)
        span = f"rows {start} to {stop - 1} (from 0)"
        with _library(f"{self.path}, variable {name!r}, {span} cannot be read"):
            return self.decode(array, array.source[tuple(index)])

    def attributes(self, name: str | None = None) -> dict[str, Any]:
        if name is None:
            with _library(f"{self.path}: its attributes cannot be read"):
                return plain_attributes({k: self._file.getncattr(k) for k in self._file.ncattrs()})
        return plain_attributes(without_coding(self._arrays[name].attributes))

    def close(self) -> None:
        with _one_thread:
            if self._file.isopen():
                self._file.close()

    def stored(self, name: str) -> StoredArray:
        """Return how the variable called ``name`` is stored."""
        return self._arrays[name]

    def row_axis(self, array: StoredArray) -> int:
        """Return which axis of a stored array runs along the rows."""
        return array.dimensions.index(self._rows)

    def decode(self, array: StoredArray, raw: NDArray[Any]) -> NDArray[Any]:
        """Return the values that stored ones stand for, with the rows as the first axis.

        Parameters
        ----------
        array : StoredArray
        raw : ndarray, with as many axes as ``array``
            Stored values of some rows.
        """
        if array.is_text:
            return texts(raw, array.attributes)
        return self._decodings[array.name].values(np.moveaxis(raw, self.row_axis(array), 0))

    def _check_size(self, array: StoredArray) -> None:
        item = max(8, array.dtype.itemsize)
        axis = self.row_axis(array)
        row = math.prod(array.shape[:axis] + array.shape[axis + 1 :])
        for what, count in (("row", row), ("chunk", math.prod(array.chunks or ()))):
            if item * count > _MOST_BYTES:
                raise DataError(
                    f"{self.path}, variable {array.name!r}: one {what} of it takes "
                    f"{item * count} bytes, and at most {_MOST_BYTES} can be read at once; write "
                    f"it in smaller {what}s"
                )
        needed, held = array.dtype.itemsize * math.prod(array.shape), self.path.stat().st_size
        if needed > _MOST_EXPANSION * held:
            raise DataError(
                f"{self.path}, variable {array.name!r} claims {needed} bytes, more than "
                f"{_MOST_EXPANSION} times the {held} bytes of the file: it is damaged, or was "
                "never filled; write it again"
            )

    def _variable(
        self, array: StoredArray, coordinates: dict[str, StoredArray], schema: Schema
    ) -> Variable:
        last = array.name.rpartition("/")[2]
        if array.is_text:
            return Variable(array.name, (last,), (), np.dtype(object))
        axis = self.row_axis(array)
        shape = array.shape[:axis] + array.shape[axis + 1 :]
        dtype = self._decodings[array.name].dtype
        if len(shape) != 1:
            return Variable(array.name, (last,), shape, dtype)
        other = (array.dimensions[:axis] + array.dimensions[axis + 1 :])[0]
        names = self._column_names(last, shape[0], coordinates.get(other), schema)
        return Variable(array.name, names, shape, dtype)

    def _column_names(
        self, name: str, count: int, coordinate: StoredArray | None, schema: Schema
    ) -> tuple[str, ...]:
        if count > _MOST_COLUMNS:
            raise DataError(
                f"{self.path}, variable {name!r}: {count} columns are more than the "
                f"{_MOST_COLUMNS} that are read; choose another dimension= for the rows"
            )
        if coordinate is not None:
            names = tuple(texts(coordinate.source[...], coordinate.attributes))
            if len(names) == count == len(set(names)):
                return names
        if count == 1:
            return (name,)
        if schema.columns is None:
            return tuple(f"{name}_{i}" for i in range(count))
        if len(schema.columns) != count or len(set(schema.columns)) != count:
            raise DataError(
                f"{self.path}, variable {name!r}: {count} columns need as many different names, "
                f"but columns= gives {len(schema.columns)}, {len(set(schema.columns))} of them "
                "different"
            )
        return tuple(schema.columns)


@contextmanager
def _library(what: str) -> Iterator[None]:
    """Admit one thread to the library; turn its exceptions on damaged files into one sentence."""
    try:
        with _one_thread:
            yield
    except (OSError, RuntimeError, LookupError, ValueError) as error:
        raise DataError(f"{what} ({error}); write or copy it again") from None
    except (MemoryError, OverflowError):
        raise DataError(f"{what} (it claims an implausible size); write it again") from None
