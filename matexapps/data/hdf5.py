"""Reads HDF5: every dataset of numbers whose first axis is the rows.

Datasets of two dimensions are matrices; their attribute ``columns`` names the columns, which are
column_0, ... without it. Rows are read by slices, when they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from matexapps.data.schema import Schema, default_names
from matexapps.data.table import Table, Variable
from matexapps.errors import DataError


class Hdf5Table(Table):
    """The datasets of an HDF5 file.

    Parameters
    ----------
    path : Path
        An HDF5 file.
    schema : Schema
        Its ``columns`` name the columns of a matrix that has no names.

    Raises
    ------
    DataError
        If this is no HDF5 file, or it holds no rows of numbers.
    """

    def __init__(self, path: Path, schema: Schema) -> None:
        self.path = path
        with _damage_named(f"{path} is no whole HDF5 file"):
            self._file = h5py.File(path, "r", locking="best-effort")
        try:
            with _damage_named(f"{path} is no whole HDF5 file"):
                self._open(schema)
        except BaseException:
            self._file.close()
            raise

    def _open(self, schema: Schema) -> None:
        self._datasets = _datasets(self._file)
        if not self._datasets:
            raise DataError(f"{self.path} holds no dataset of numbers")
        lengths = {name: len(dataset) for name, dataset in self._datasets.items()}
        if len(set(lengths.values())) > 1:
            held = ", ".join(f"{name} {d.shape}" for name, d in self._datasets.items())
            raise DataError(f"{self.path}: its datasets must have as many rows each, not {held}")
        self._length = next(iter(lengths.values()))
        self.variables = [self._variable(n, d, schema) for n, d in self._datasets.items()]
        self.block_rows = max((d.chunks[0] for d in self._datasets.values() if d.chunks), default=1)

    def __len__(self) -> int:
        return self._length

    def read(self, name: str, start: int, stop: int) -> NDArray[Any]:
        span = f"rows {start} to {stop - 1} (from 0)"
        with _damage_named(f"{self.path}, dataset {name!r}, {span} cannot be read"):
            return self._datasets[name][start:stop]

    def close(self) -> None:
        self._file.close()

    def _variable(self, name: str, dataset: Any, schema: Schema) -> Variable:
        shape = dataset.shape[1:]
        if len(shape) != 1:
            return Variable(name, (name.rpartition("/")[2],), shape, dataset.dtype)
        given = dataset.attrs.get("columns")
        if given is not None:
            names = [n.decode() if isinstance(n, bytes) else str(n) for n in np.ravel(given)]
        elif shape[0] == 1:
            names = [name]
        else:
            names = list(schema.columns or default_names(shape[0]))
        if len(names) != shape[0] or len(set(names)) != shape[0]:
            raise DataError(
                f"{self.path}, dataset {name!r}: {shape[0]} columns need as many different names, "
                f"but {len(names)} names are given, {len(set(names))} of them different"
            )
        return Variable(name, tuple(names), shape, dataset.dtype)


def _datasets(file: Any) -> dict[str, Any]:
    """Return all datasets of numbers in a file, by their path."""
    found: dict[str, Any] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "fiub" and item.ndim:
            found[name] = item

    file.visititems(visit)
    return found


@contextmanager
def _damage_named(what: str) -> Iterator[None]:
    """Turn whatever HDF5 raises on a damaged file into one sentence."""
    try:
        yield
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError) as error:
        lines = str(error).splitlines() or [type(error).__name__]
        # HDF5 puts its reason in brackets behind the name of the call that failed.
        reason = lines[0].partition("(")[2].rstrip(")") or lines[0]
        raise DataError(f"{what} ({reason}); write or copy it again") from None
