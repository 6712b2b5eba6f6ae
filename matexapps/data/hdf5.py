"""Reads HDF5: one table with named columns, or features and labels in datasets of their own.

Which layout
    Where the file holds one-dimensional data called ``label`` or ``labels``, or ``label=`` names
    a dataset, features and label stand apart: ``features=`` names the features, or they are the
    only two-dimensional dataset; ``weight=`` names the weights, if there are any.
    Otherwise the file is one table: its only two-dimensional dataset, or the only one with an
    attribute ``columns``. That attribute names the columns; without it they are column_0, ...

Rows are read by slices, when they are asked for, into the array that is returned.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from matexapps.data.missing import Missing, bad_value
from matexapps.data.reader import Reader
from matexapps.data.rows import Rows, default_names
from matexapps.data.schema import Schema, position
from matexapps.errors import DataError, did_you_mean

_BLOCK_BYTES = 32 * 2**20


class Hdf5Reader(Reader):
    """Rows of an HDF5 file, read by slices.

    Parameters
    ----------
    path : Path
        An HDF5 file.
    schema : Schema
        Which columns, or which datasets, are wanted.

    Raises
    ------
    DataError
        If this is no HDF5 file, or what is wanted is not there.
    """

    def __init__(self, path: Path, schema: Schema) -> None:
        self.path = path
        self._missing = Missing.declared(schema.missing)
        if schema.classes is not None:
            raise DataError(f"{path}: classes= is for labels that are text; in HDF5 use numbers")
        with _damage_named(f"{path} is no whole HDF5 file"):
            self._file = h5py.File(path, "r", locking="best-effort")
        try:
            with _damage_named(f"{path} is no whole HDF5 file"):
                self._open(schema)
        except BaseException:
            self._file.close()
            raise

    def _open(self, schema: Schema) -> None:
        found = _datasets(self._file)
        apart = _label_dataset(found, schema)
        self._table, names = self._matrix(found, schema, apart is not None)
        file = f"{self.path}, dataset {self._table.name!r}"
        if apart is None:
            roles = schema.roles(names, file)
            self._label: Any = roles.label
            self._weight: Any = roles.weight
            self._positions = list(roles.features)
        else:
            self._label = apart
            self._weight = None if schema.weight is None else self._vector(found, schema.weight)
            self._positions = list(range(len(names)))
            if schema.features is not None and not isinstance(schema.features, str):
                self._positions = [position(c, names, file, "features") for c in schema.features]
            for vector in (self._label, self._weight):
                if vector is not None and len(vector) != len(self._table):
                    raise DataError(
                        f"{self.path}: {vector.name!r} has {len(vector)} values and "
                        f"{self._table.name!r} {len(self._table)} rows: they must agree"
                    )
        if not len(self._table):
            raise DataError(f"{file} holds no row")
        self.columns = [names[i] for i in self._positions]
        self._names = names

    def __len__(self) -> int:
        return len(self._table)

    def read(self, start: int = 0, stop: int | None = None) -> Rows:
        start, stop, _ = slice(start, stop).indices(len(self))
        count = max(0, stop - start)
        features = np.empty((count, len(self._positions)), np.float32)
        label = np.empty(count, np.float64)
        weight = None if self._weight is None else np.empty(count, np.float64)
        row_bytes = max(1, self._table.dtype.itemsize * self._table.shape[1])
        step = max(1, _BLOCK_BYTES // row_bytes)
        for first in range(0, count, step):
            part = slice(first, min(first + step, count))
            here = slice(start + part.start, start + part.stop)
            block = self._slice(self._table, here)
            with np.errstate(over="ignore"):
                features[part] = block if self._all_columns else block[:, self._positions]
            self._check_features(features[part], here.start)
            for name, source, target in (
                ("label", self._label, label),
                ("weight", self._weight, weight),
            ):
                if target is not None:
                    values = block[:, source] if isinstance(source, int) else None
                    target[part] = self._slice(source, here).ravel() if values is None else values
                    self._check_vector(name, source, target[part], here.start)
        self._missing.to_nan(features)
        return Rows(features, label, weight, np.arange(start, stop, dtype=np.int64), self.columns)

    def locate(self, row: int) -> str:
        return f"row {row} (from 0)"

    def close(self) -> None:
        self._file.close()

    @property
    def _all_columns(self) -> bool:
        return self._positions == list(range(len(self._names)))

    def _matrix(self, found: dict[str, Any], schema: Schema, apart: bool) -> tuple[Any, list[str]]:
        """Return the two-dimensional dataset and the names of its columns."""
        flat = {name: d for name, d in found.items() if d.ndim == 2}
        if apart and isinstance(schema.features, str):
            if schema.features not in flat:
                raise DataError(
                    f"{self.path} has no two-dimensional dataset {schema.features!r}, which "
                    f"features= asks for{did_you_mean(schema.features, flat)}"
                )
            flat = {schema.features: flat[schema.features]}
        if len(flat) > 1:
            flat = {n: d for n, d in flat.items() if "columns" in d.attrs} or flat
        if len(flat) != 1:
            held = ", ".join(f"{n} {d.shape}" for n, d in found.items()) or "none"
            raise DataError(
                f"{self.path} must hold one two-dimensional dataset of numbers, or one with an "
                f"attribute 'columns', or features= and label= must name datasets; it holds: {held}"
            )
        ((name, table),) = flat.items()
        return table, self._column_names(name, table, schema)

    def _column_names(self, name: str, table: Any, schema: Schema) -> list[str]:
        given = table.attrs.get("columns")
        width = table.shape[1]
        if given is None:
            names = list(schema.columns or default_names(width))
        else:
            names = [n.decode() if isinstance(n, bytes) else str(n) for n in np.ravel(given)]
        if len(names) != width or len(set(names)) != width:
            raise DataError(
                f"{self.path}, dataset {name!r}: {width} columns need as many different names, "
                f"but {len(names)} names are given, {len(set(names))} of them different"
            )
        return names

    def _vector(self, found: dict[str, Any], name: str | int) -> Any:
        vector = found.get(str(name).strip("/"))
        if vector is None or not _is_vector(vector):
            raise DataError(
                f"{self.path} has no dataset {name!r} of one value a row"
                f"{did_you_mean(str(name), found)}"
            )
        return vector

    def _slice(self, dataset: Any, rows: slice) -> NDArray[Any]:
        span = f"rows {rows.start} to {rows.stop - 1} (from 0)"
        with _damage_named(f"{self.path}, dataset {dataset.name!r}, {span} cannot be read"):
            return dataset[rows]

    def _check_features(self, block: NDArray[np.float32], start: int) -> None:
        bad = self._missing.first_bad(block)
        if bad is not None:
            row, column = bad
            raise DataError(
                f"{self.path}, {self.locate(start + row)}, column {self.columns[column]!r}: "
                f"{bad_value(float(block[row, column]))}"
            )

    def _check_vector(
        self, role: str, source: Any, values: NDArray[np.float64], start: int
    ) -> None:
        finite = np.isfinite(values)
        if not finite.all():
            row = int(np.argmin(finite))
            name = self._names[source] if isinstance(source, int) else source.name
            raise DataError(
                f"{self.path}, {self.locate(start + row)}, column {name!r}: the {role} is "
                f"{values[row]}; correct it or remove the row"
            )


def _datasets(file: Any) -> dict[str, Any]:
    """Return all datasets of numbers in a file, by their path."""
    found: dict[str, Any] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "fiub" and item.ndim:
            found[name] = item

    file.visititems(visit)
    return found


def _label_dataset(found: dict[str, Any], schema: Schema) -> Any:
    """Return the dataset that holds the labels, or None where they are a column of the table."""
    names = ["label", "labels"] if schema.label is None else [str(schema.label).strip("/")]
    return next((found[n] for n in names if n in found and _is_vector(found[n])), None)


def _is_vector(dataset: Any) -> bool:
    return dataset.ndim == 1 or (dataset.ndim == 2 and dataset.shape[1] == 1)


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
