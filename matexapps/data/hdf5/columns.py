"""Columns of a table in HDF5: fields of a compound type, columns of a matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from matexapps.data.hdf5.layouts import Layout, texts
from matexapps.data.sources.table import Variable


@dataclass(frozen=True)
class Cell:
    """Where in datasets of several columns a variable is.

    Attributes
    ----------
    variable : Variable
    dataset : int
        Which dataset.
    field : str or None
        Which field of a compound type.
    column : int or None
        Which column of a matrix.
    """

    variable: Variable
    dataset: int = 0
    field: str | None = None
    column: int | None = None

    def of(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return this variable's values from rows of its dataset."""
        if self.field is not None:
            values = values[self.field]
        if self.column is not None:
            values = values[:, self.column]
        if self.variable.is_text:
            return texts(values)
        return values.astype(self.variable.dtype, copy=False)


class Columns(Layout):
    """Variables in datasets of several columns; a range of rows is read once for all of them.

    Parameters
    ----------
    datasets : sequence of h5py.Dataset
        With the same number of rows.
    cells : sequence of Cell
    """

    is_table = True

    def __init__(self, datasets: Sequence[Any], cells: Sequence[Cell]) -> None:
        self.datasets = list(datasets)
        self.variables = [cell.variable for cell in cells]
        self.rows = len(datasets[0])
        self._block_rows = max((d.chunks[0] for d in datasets if d.chunks), default=1)
        self._cells = {cell.variable.name: cell for cell in cells}
        self._views = [_only_fields(d, cells) for d in datasets]
        self._last: dict[int, tuple[int, int, NDArray[Any]]] = {}

    @property
    def block_rows(self) -> int:
        return self._block_rows

    def read(self, name: str, start: int, stop: int) -> NDArray[Any]:
        cell = self._cells[name]
        last = self._last.get(cell.dataset)
        if last is None or last[:2] != (start, stop):
            last = (start, stop, self._views[cell.dataset][start:stop])
            self._last[cell.dataset] = last
        return cell.of(last[2])


def compound_cells(name: str, dtype: np.dtype[Any]) -> tuple[list[Cell], list[str]]:
    """Return a variable for each field of a compound type, and the fields that cannot be read."""
    cells: list[Cell] = []
    unusable: list[str] = []
    for field in dtype.names or ():
        base, shape = dtype[field].base, dtype[field].shape
        full = f"{name}/{field}"
        if h5py.check_string_dtype(base) is not None and not shape:
            cells.append(Cell(Variable(full, (field,), (), np.dtype(object)), 0, field))
        elif base.kind in "fiub":
            several = len(shape) == 1 and shape[0] > 1
            columns = [f"{field}_{i}" for i in range(shape[0])] if several else [field]
            native = base.newbyteorder("=")
            cells.append(Cell(Variable(full, tuple(columns), shape, native), 0, field))
        else:
            unusable.append(full)
    return cells, unusable


def _only_fields(dataset: Any, cells: Sequence[Cell]) -> Any:
    """Return what to slice so that only the fields wanted are read."""
    fields = {cell.field for cell in cells if cell.field is not None}
    if fields and len(fields) < len(dataset.dtype.names):
        return dataset.fields([name for name in dataset.dtype.names if name in fields])
    return dataset
