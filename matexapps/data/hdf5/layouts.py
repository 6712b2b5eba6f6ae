"""How an HDF5 file can hold rows: a dataset of their own, a dataset for each class.

Each layout is some variables with the same number of rows; columns of a table are in
:mod:`matexapps.data.hdf5.columns`. Files of MATLAB (7.3) hold their arrays with the axes reversed;
they are transposed here, so that rows are MATLAB's rows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from matexapps.data.hdf5.direct import DirectRows, is_plain
from matexapps.data.sources.table import Variable, put_ranges
from matexapps.errors import DataError


class Layout(ABC):
    """Variables that are stored together in a file.

    Attributes
    ----------
    variables : list of Variable
        With their full names: the path in the file.
    datasets : list of h5py.Dataset
        What they are read from.
    rows : int
    is_table : bool
        Whether the file itself names several columns.
    """

    variables: list[Variable]
    datasets: list[Any]
    rows: int
    is_table: bool = False

    @property
    @abstractmethod
    def block_rows(self) -> int:
        """How many rows the file stores together."""

    @property
    def row_bytes(self) -> int:
        """Bytes that one row of all its variables takes."""
        return sum(variable.row_bytes for variable in self.variables)

    @property
    def is_wide(self) -> bool:
        """Whether it is one variable of several values a row."""
        first = self.variables[0]
        return len(self.variables) == 1 and (len(first.shape) > 1 or len(first.columns) > 1)

    @abstractmethod
    def read(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Return rows ``start`` to ``stop - 1`` of a variable, in native byte order."""

    def read_into(self, target: NDArray[Any], name: str, ranges: Sequence[tuple[int, int]]) -> None:
        """Read the rows of several ranges, one after the other, into an array."""
        put_ranges(target, ranges, lambda start, stop: self.read(name, start, stop))

    @property
    def is_copied(self) -> bool:
        """Whether values are stored as in memory, and read without conversion."""
        return False

    def close(self) -> None:  # noqa: B027
        """Release its resources besides the datasets."""


class Plain(Layout):
    """A dataset whose first axis is the rows; in a file of MATLAB, the last.

    Parameters
    ----------
    name : str
    dataset : h5py.Dataset
    columns : sequence of str
        Names of the columns, if one row is several numbers.
    named : bool
        Whether these names are from the file.
    reversed_axes : bool
        Whether the axes are in MATLAB's order.
    """

    def __init__(
        self,
        name: str,
        dataset: Any,
        columns: Sequence[str],
        *,
        named: bool = False,
        reversed_axes: bool = False,
    ) -> None:
        shape, chunks = dataset.shape, dataset.chunks
        if reversed_axes:
            shape, chunks = shape[::-1], chunks and chunks[::-1]
        self._dataset, self._reversed = dataset, reversed_axes
        self.datasets = [dataset]
        self.rows = shape[0]
        self._chunk_rows = chunks[0] if chunks else 1
        self._is_text = h5py.check_string_dtype(dataset.dtype) is not None
        dtype = np.dtype(object) if self._is_text else dataset.dtype.newbyteorder("=")
        self.variables = [Variable(name, tuple(columns), shape[1:], dtype)]
        self.is_table = named

    def read(self, name: str, start: int, stop: int) -> NDArray[Any]:
        if self._is_text:
            return texts(self._dataset[start:stop])
        variable = self.variables[0]
        if self._reversed:
            return self._dataset[..., start:stop].T.astype(variable.dtype, copy=False)
        rows = np.empty((stop - start, *variable.shape), variable.dtype)
        if self._direct is not None:
            self._direct.read_into(rows, [(start, stop)])
        elif stop > start:
            self._dataset.read_direct(rows, np.s_[start:stop])
        return rows

    def read_into(self, target: NDArray[Any], name: str, ranges: Sequence[tuple[int, int]]) -> None:
        if self._direct is not None:
            self._direct.read_into(target, ranges)
        else:
            super().read_into(target, name, ranges)

    @property
    def block_rows(self) -> int:
        return self._chunk_rows if self._direct is None else 1

    @property
    def is_copied(self) -> bool:
        return self._direct is not None

    @cached_property
    def _direct(self) -> DirectRows | None:
        if self._is_text or self._reversed or not is_plain(self._dataset):
            return None
        return DirectRows(Path(self._dataset.file.filename), self._dataset)

    def close(self) -> None:
        if "_direct" in self.__dict__ and self._direct is not None:
            self._direct.close()


class Classes(Layout):
    """One layout for each class, concatenated; the label is the number of the class.

    Parameters
    ----------
    layouts : sequence of Plain
        In the order of the classes' numbers.

    Raises
    ------
    DataError
        If they do not hold the same columns of numbers.
    """

    def __init__(self, layouts: Sequence[Plain]) -> None:
        first = layouts[0].variables[0]
        for layout in layouts:
            variable = layout.variables[0]
            columns_differ = len(variable.shape) == 1 and variable.columns != first.columns
            if variable.shape != first.shape or columns_differ or variable.is_text:
                raise DataError(
                    "the datasets that classes= names must hold the same columns of numbers, but "
                    f"{first.name!r} has {_described(first)} and {variable.name!r} "
                    f"{_described(variable)}"
                )
        dtype = np.result_type(*(layout.variables[0].dtype for layout in layouts))
        self.datasets = [dataset for layout in layouts for dataset in layout.datasets]
        columns = first.columns if len(first.shape) == 1 else ("features",)
        self.variables = [
            Variable("features", columns, first.shape, dtype),
            Variable("label", ("label",), (), np.dtype(np.int64)),
        ]
        self._layouts = layouts
        self._ends = np.cumsum([layout.rows for layout in layouts])
        self.rows = int(self._ends[-1])

    @property
    def block_rows(self) -> int:
        return max(layout.block_rows for layout in self._layouts)

    def read(self, name: str, start: int, stop: int) -> NDArray[Any]:
        if name == "label":
            return np.searchsorted(self._ends, np.arange(start, stop), side="right")
        variable = self.variables[0]
        rows = np.empty((stop - start, *variable.shape), variable.dtype)
        for layout, end in zip(self._layouts, self._ends, strict=True):
            first = int(end) - layout.rows
            low, high = max(start, first), min(stop, int(end))
            if low < high:
                features = layout.variables[0].name
                rows[low - start : high - start] = layout.read(features, low - first, high - first)
        return rows

    def close(self) -> None:
        for layout in self._layouts:
            layout.close()


def texts(values: NDArray[Any]) -> NDArray[Any]:
    """Return HDF5's texts, which are bytes in UTF-8, as objects of ``str``."""
    result = np.empty(len(values), dtype=object)
    result[:] = [v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in values]
    return result


def _described(variable: Variable) -> str:
    if variable.is_text:
        return "texts"
    names = f" ({', '.join(variable.columns[:6])})" if len(variable.shape) == 1 else ""
    return f"{variable.shape} a row{names}"
