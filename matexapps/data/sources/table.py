"""A file as named arrays of rows, before features and labels are chosen."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK_BYTES = 2**20
_CHUNKS_BYTES = 16 * BLOCK_BYTES


@dataclass(frozen=True)
class Variable:
    """One array of a file whose first axis is the rows.

    Attributes
    ----------
    name : str
        The dataset's name in HDF5, the variable's in NetCDF, the column's in CSV.
    columns : tuple of str
        Names of its columns: one for each of a matrix, just one for anything else.
    shape : tuple of int
        Shape of one row's value: () for a number or a text, (k,) for a matrix of k columns, more
        for images.
    dtype : numpy.dtype
        Type of the values; ``object`` where they are text.
    """

    name: str
    columns: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def is_text(self) -> bool:
        """Whether the values are text."""
        return self.dtype.kind == "O"

    @property
    def row_bytes(self) -> int:
        """Bytes that one row of it takes in memory."""
        return self.dtype.itemsize * int(np.prod(self.shape, dtype=np.int64))


class Table(ABC):
    """Arrays with the same number of rows, read by row numbers.

    Attributes
    ----------
    path : Path
    variables : list of Variable
        In the file's order.
    left_out : sequence of str
        What else the file holds, in words: other numbers of rows, types that cannot be read.
    """

    path: Path
    variables: list[Variable]
    left_out: Sequence[str] = ()

    @property
    @abstractmethod
    def block_rows(self) -> int:
        """How many rows are stored together; reads between its multiples are cheapest.

        1 if all ranges are equally cheap.
        """

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def read(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Return rows ``start`` to ``stop - 1`` of the variable called ``name``.

        Returns
        -------
        ndarray, shape (rows, \\*shape of the variable)
            In the file's own type, native byte order; text as objects of ``str``.

        Raises
        ------
        DataError
            If the file is damaged there.
        """

    def check_storage(self) -> None:  # noqa: B027
        """Check where the file keeps its values, as far as it says, without reading them.

        Raises
        ------
        DataError
            If some do not lie within the file.
        """

    def attributes(self, name: str | None = None) -> dict[str, Any]:
        """Return what the file says about the variable called ``name``, about itself for None.

        Texts and numbers, such as units or a title, with names that begin with a lower-case letter;
        others belong to the formats themselves.
        """
        return {}

    def read_into(self, target: NDArray[Any], name: str, ranges: Sequence[tuple[int, int]]) -> None:
        """Read the rows of several ranges, one after the other, into an array of any type.

        Raises
        ------
        DataError
            As :meth:`read`.
        """
        put_ranges(target, ranges, lambda start, stop: self.read(name, start, stop))

    def is_copied(self, name: str) -> bool:
        """Whether a variable's values are stored as in memory, and read without conversion."""
        return False

    def locate(self, row: int) -> str:
        """Return where row number ``row``, from 0, is in the file, for a message."""
        return f"row {row} (from 0)"

    @abstractmethod
    def close(self) -> None:
        """Release the resources of the table."""

    def blocks(self) -> Iterator[dict[str, NDArray[Any]]]:
        """Yield all rows in order, about a MiB at a time: the arrays by their variables' names."""
        row_bytes = sum(variable.row_bytes for variable in self.variables)
        step = rows_in(BLOCK_BYTES, row_bytes, self.block_rows)
        for start in range(0, len(self), step):
            stop = min(start + step, len(self))
            yield {v.name: self.read(v.name, start, stop) for v in self.variables}


def put_ranges(
    target: NDArray[Any],
    ranges: Sequence[tuple[int, int]],
    read: Callable[[int, int], NDArray[Any]],
) -> None:
    """Copy what ``read(start, stop)`` returns for each range into an array, one after the other."""
    done = 0
    for start, stop in ranges:
        target[done : done + stop - start] = read(start, stop)
        done += stop - start


def rows_in(size: int, row_bytes: int, block_rows: int = 1) -> int:
    """Return how many rows fit into ``size`` bytes: a multiple of ``block_rows``, at least one."""
    fitting = size // max(1, row_bytes)
    return max(1, fitting // block_rows) * block_rows


def chunk_rows(rows: int, row_bytes: Sequence[int]) -> int:
    """Return how many rows a chunk has, the same for all datasets of a file.

    About 1 MiB of the widest dataset, and at most 16 MiB of all together, because they are read
    together.

    Parameters
    ----------
    rows : int
        Of the file.
    row_bytes : sequence of int
        Bytes of one row of each dataset.
    """
    together = max(1, _CHUNKS_BYTES // max(1, sum(row_bytes)))
    return min(rows, rows_in(BLOCK_BYTES, max(row_bytes)), together)


def plain_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Select the attributes of :meth:`Table.attributes` from those of a file."""
    return {
        name: _as_str(value)
        for name, value in attributes.items()
        if name[:1].islower() and name != "columns" and _is_plain(value)
    }


def _is_plain(value: Any) -> bool:
    array = np.asarray(value)
    is_text = array.size and all(isinstance(item, str | bytes) for item in array.ravel().tolist())
    return array.ndim <= 1 and bool(array.dtype.kind in "iuf" or is_text)


def _as_str(value: Any) -> Any:
    """Return bytes as ``str``, several texts as a list of ``str``, and numbers unchanged."""
    if isinstance(value, str | bytes):
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    array = np.asarray(value)
    if array.dtype.kind in "iuf":
        return value
    held = [_as_str(item) for item in array.ravel().tolist()]
    return held if array.ndim else held[0]


def named_columns(variables: Sequence[Variable]) -> list[tuple[str, Variable, int]]:
    """Return all columns: name, variable, and which column of it.

    A name that an earlier column already has is prefixed with its variable's, as in ``b/x``.
    """
    named: list[tuple[str, Variable, int]] = []
    taken: set[str] = set()
    for variable in variables:
        for i, column in enumerate(variable.columns):
            name = f"{variable.name}/{column}" if column in taken else column
            taken.add(name)
            named.append((name, variable, i))
    return named
