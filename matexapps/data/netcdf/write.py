"""Writes NetCDF-4: every variable under its own name, along one dimension for the rows.

The names of a matrix's columns become the coordinate variable of its second dimension, a variable
of texts. Floats of 16 bits are widened to 32, and True and False become the bytes 1 and 0, because
NetCDF has no such types. Variables in a group of an HDF5 file are in a group again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import NDArray

from matexapps.data.sources.table import Variable, chunk_rows, named_columns
from matexapps.errors import DataError

_LEGAL = re.compile(r"[^\W]([^/\x00-\x1f\x7f]*[^/\x00-\x1f\x7f\s])?")


class NetcdfWriter:
    """A NetCDF file that is written in blocks of rows.

    Parameters
    ----------
    path : Path
    variables : sequence of Variable
    rows : int
        Total number of rows.
    attributes : mapping of variable name, or None, to mapping
        Of the variables, and of the file for None.
    compress : bool
        Whether to compress numbers: zlib after shuffling the bytes.

    Raises
    ------
    DataError
        If NetCDF cannot hold such variables.
    """

    def __init__(
        self,
        path: Path,
        variables: Sequence[Variable],
        rows: int,
        attributes: Mapping[str | None, Mapping[str, Any]],
        *,
        compress: bool,
    ) -> None:
        self._names = _names(variables)
        self._compress = compress
        self._together = chunk_rows(rows, [variable.row_bytes for variable in variables])
        self._taken = {part for name in self._names.values() for part in name.split("/")}
        self._at = 0
        self._file = netCDF4.Dataset(path, "w", format="NETCDF4")
        self._variables: dict[str, Any] = {}
        try:
            # Readers recognize the rows by the unlimited dimension.
            self._row = self._dimension("row", None)
            for variable in variables:
                self._variables[variable.name] = made = self._make(variable)
                made.setncatts(attributes.get(variable.name, {}))
            self._file.setncatts(attributes.get(None, {}))
        except (RuntimeError, ValueError, OSError, AttributeError, TypeError) as error:
            self._file.close()
            raise DataError(f"NetCDF cannot hold {variable.name!r} ({error}); rename it") from None
        except BaseException:
            self._file.close()
            raise

    def write(self, block: Mapping[str, NDArray[Any]]) -> None:
        """Add rows: the arrays of all variables by name.

        Raises
        ------
        DataError
            If an integer has the value that NetCDF uses for "never written".
        """
        stop = self._at
        for name, values in block.items():
            target = self._variables[name]
            unwritten = netCDF4.default_fillvals.get(values.dtype.str[1:])
            large = values.dtype.kind in "iu" and values.dtype.itemsize >= 4
            if large and (values == unwritten).any():
                raise DataError(
                    f"{name!r} holds {unwritten}, by which NetCDF marks what was never written: "
                    "convert to .h5, or choose another type, as with dtype='float64'"
                )
            stop = self._at + len(values)
            target[self._at : stop] = values
        self._at = stop

    def close(self) -> None:
        """Finish the file."""
        self._file.close()

    def _make(self, variable: Variable) -> Any:
        name = self._names[variable.name]
        dimensions = [self._row]
        for i, length in enumerate(variable.shape):
            end = "column" if len(variable.shape) == 1 else f"axis{i + 1}"
            dimensions.append(self._dimension(f"{name.rpartition('/')[2]}_{end}", length))
        if len(variable.shape) == 1:
            columns = self._file.createVariable(dimensions[1], str, (dimensions[1],))
            columns[:] = np.array(variable.columns, object)
        if variable.is_text:
            return self._file.createVariable(name, str, dimensions)
        dtype = _stored_type(variable.dtype)
        made = self._file.createVariable(
            name,
            dtype,
            dimensions,
            compression="zlib" if self._compress else None,
            shuffle=self._compress,
            chunksizes=(self._together, *variable.shape),
            fill_value=np.array(np.nan, dtype) if dtype.kind == "f" else None,
        )
        made.set_auto_maskandscale(False)
        return made

    def _dimension(self, wanted: str, length: int | None) -> str:
        """Make a dimension with a unique name, and return the name."""
        name = wanted
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        self._file.createDimension(name, length)
        return name


def _names(variables: Sequence[Variable]) -> dict[str, str]:
    """Return the name of each variable: its column's name if it is a single column.

    Raises
    ------
    DataError
        If NetCDF does not allow such a name.
    """
    if any(variable.shape for variable in variables):
        names = {variable.name: variable.name for variable in variables}
        parts = [(name, part) for name in names.values() for part in name.split("/")]
    else:
        names = {variable.name: column for column, variable, _ in named_columns(variables)}
        parts = [(name, name) for name in names.values()]
    for name, part in parts:
        if not _LEGAL.fullmatch(part):
            raise DataError(
                f"NetCDF has no variables called {name!r}: a name begins with a letter, a digit "
                "or an underscore, and holds no slash; rename it, or convert to .h5"
            )
    return names


def _stored_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    return np.dtype(np.float32) if dtype == np.float16 else dtype
