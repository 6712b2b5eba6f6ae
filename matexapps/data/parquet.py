"""Reads Parquet: numbers keep their type, and anything that CSV would hold as text is text.

Integers and truth values are float64 where some may be missing, and a missing value is NaN; decimal
numbers are float64 too. Categories are what they stand for. Dates and times are text, as in a CSV
file. A missing text is the empty one. Lists, structs and bytes are left out, and so are columns
that pandas stored as the index of its table.

Rows are stored in row groups; a range of rows decodes all groups that it touches.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from matexapps.data.sources.table import Table, Variable
from matexapps.errors import DataError


class ParquetTable(Table):
    """The columns of a Parquet file.

    Parameters
    ----------
    path : Path
        A Parquet file.

    Attributes
    ----------
    names : list of str
        All columns but the index of a table of pandas, also those that are no variables.

    Raises
    ------
    DataError
        If this is not a complete Parquet file, or two of its columns have the same name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._one_thread = threading.Lock()
        with _library(f"{path} is not a complete Parquet file"):
            self._file = pq.ParquetFile(path)
            schema, metadata = self._file.schema_arrow, self._file.metadata
            groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
            self._starts = np.cumsum([0, *(group.num_rows for group in groups)])
            self._choose(schema, _complete_columns(groups))

    def _choose(self, schema: Any, complete: set[str]) -> None:
        for name, count in Counter(schema.names).items():
            if count > 1:
                raise DataError(
                    f"{self.path}: {count} columns are called {name!r}; write it again with a name "
                    "of its own for each"
                )
        index = (schema.pandas_metadata or {}).get("index_columns", [])
        self.names = [name for name in schema.names if name not in index]
        self.left_out = [f"{name} (index)" for name in schema.names if name in index]
        self._dtypes: dict[str, np.dtype[Any]] = {}
        for name in self.names:
            kind = schema.field(name).type
            dtype = _dtype(kind, name in complete)
            if dtype is None:
                self.left_out.append(f"{name} ({kind})")
            else:
                self._dtypes[name] = dtype
        self.variables = [Variable(name, (name,), (), d) for name, d in self._dtypes.items()]

    @property
    def block_rows(self) -> int:
        """How many rows the largest row group has."""
        return max(1, int(np.diff(self._starts).max(initial=1)))

    def __len__(self) -> int:
        return int(self._starts[-1])

    def read(self, name: str, start: int, stop: int) -> NDArray[Any]:
        groups = self._groups(start, stop)
        span = f"rows {start} to {stop - 1} (from 0)"
        with self._one_thread, _library(f"{self.path}, column {name!r}, {span} cannot be read"):
            table = self._file.read_row_groups(groups, [name], use_threads=False)
            cells = table.column(name).slice(start - int(self._starts[groups.start]), stop - start)
            return _values(cells, self._dtypes[name])

    def read_into(self, target: NDArray[Any], name: str, ranges: Sequence[tuple[int, int]]) -> None:
        # A row group is decoded a single time, however many of the ranges are in it.
        pieces: defaultdict[int, list[tuple[int, int, int]]] = defaultdict(list)
        done = 0
        for start, stop in ranges:
            for group in self._groups(start, stop):
                first, last = self._starts[group : group + 2].clip(start, stop).tolist()
                pieces[group].append((first, last, done + first - start))
            done += stop - start
        for own in pieces.values():
            low, high = min(first for first, _, _ in own), max(last for _, last, _ in own)
            values = self.read(name, low, high)
            for first, last, position in own:
                target[position : position + last - first] = values[first - low : last - low]

    def rows(self, names: Sequence[str]) -> Iterator[Sequence[object]]:
        """Yield the cells of these columns, row by row, as Python's objects; None is missing.

        Raises
        ------
        DataError
            As :meth:`read`.
        """
        with _library(f"{self.path} cannot be read as Parquet"):
            for batch in self._file.iter_batches(columns=list(names)):
                yield from zip(*(batch.column(name).to_pylist() for name in names), strict=True)

    def close(self) -> None:
        self._file.close()

    def _groups(self, start: int, stop: int) -> range:
        """Return the row groups that hold some of these rows."""
        first = int(np.searchsorted(self._starts, start, side="right")) - 1
        return range(first, int(np.searchsorted(self._starts, stop, side="left")))


def _complete_columns(groups: Sequence[Any]) -> set[str]:
    """Return the paths of the columns of which every row group says that no value is missing."""
    complete = None
    for group in groups:
        chunks = [group.column(i) for i in range(group.num_columns)]
        here = {
            chunk.path_in_schema
            for chunk in chunks
            if chunk.statistics is not None
            and chunk.statistics.has_null_count
            and not chunk.statistics.null_count
        }
        complete = here if complete is None else complete & here
    return complete or set()


def _dtype(kind: Any, complete: bool) -> np.dtype[Any] | None:
    """Return the type in which a column is read; None if it cannot be one."""
    types = pa.types
    if types.is_dictionary(kind):
        kind = kind.value_type
    if types.is_floating(kind) or (complete and (types.is_integer(kind) or kind == pa.bool_())):
        return np.dtype(kind.to_pandas_dtype())
    if types.is_integer(kind) or types.is_decimal(kind) or kind == pa.bool_():
        return np.dtype(np.float64)
    is_time = types.is_temporal(kind) and not types.is_duration(kind)
    is_text = is_time or types.is_string(kind) or types.is_large_string(kind)
    return np.dtype(object) if is_text or types.is_null(kind) else None


def _values(cells: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    if pa.types.is_dictionary(cells.type):
        cells = cells.cast(cells.type.value_type)
    if dtype.kind == "O":
        return cells.cast(pa.string()).fill_null("").to_numpy()
    if dtype.kind != "f" and cells.null_count:
        raise ValueError("a value is missing, which the file denies")
    if cells.type == pa.bool_():
        cells = cells.cast(pa.uint8())
    return cells.cast(pa.from_numpy_dtype(dtype), safe=False).to_numpy()


@contextmanager
def _library(what: str) -> Iterator[None]:
    """Turn the library's exceptions on damaged files into one sentence."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, LookupError, OverflowError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{what} ({reason}); write or copy it again") from None
