"""The interface of all readers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matexapps.comm.communicator import Communicator
from matexapps.data.partition import share
from matexapps.data.rows import Rows, gather_rows


class Reader(ABC):
    """Reads rows of one source, as a schema describes them. ``len(reader)`` is their number.

    Attributes
    ----------
    path : Path
        The file, folder or pattern.
    columns : list of str
        Names of the feature columns; for samples that are arrays, one name, or those of their
        channels.
    sample_shape : tuple of int
        Shape of one row's features.
    block_rows : int
        How many rows are stored together; reads that begin and end at its multiples are cheapest.
    by_row : bool
        Whether any rows can be read without reading those before them. If not, :meth:`read` keeps
        the entire file in memory.
    weighted : bool
        Whether rows have weights.
    copied : bool
        Whether :meth:`read_again` only needs to copy what the file holds.
    row_bytes : int
        Bytes that one row takes in :class:`~matexapps.data.rows.Rows`.
    """

    path: Path
    columns: list[str]
    sample_shape: tuple[int, ...]
    block_rows: int = 1
    by_row: bool = True
    weighted: bool = False
    copied: bool = False

    @abstractmethod
    def __len__(self) -> int: ...

    def estimated_rows(self) -> int:
        """Return an estimate of the number of rows, without reading them."""
        return len(self)

    @abstractmethod
    def read(self, start: int = 0, stop: int | None = None) -> Rows:
        """Return rows ``start`` to ``stop - 1``, checked, with the label as float64.

        Raises
        ------
        DataError
            Naming file, row and column of the first value that cannot be used.
        """

    def read_again(
        self,
        ranges: Sequence[tuple[int, int]],
        features: NDArray[np.float32],
        label: NDArray[Any],
        weight: NDArray[np.float64] | None,
    ) -> None:
        """Read rows that :meth:`read` has checked before into arrays, one range after the other.

        Their values need not be checked again.

        Parameters
        ----------
        ranges : sequence of (start, stop)
            Ranges of row numbers.
        features : ndarray of float32, shape (rows, *sample shape), C-contiguous
        label : ndarray of float32 or int64, shape (rows,)
        weight : ndarray of float64, shape (rows,), or None
            None where the rows have no weights.

        Raises
        ------
        DataError
            If the file is damaged there.
        """
        done = 0
        for start, stop in ranges:
            rows, part = self.read(start, stop), slice(done, done + stop - start)
            features[part], label[part] = rows.features, rows.label
            if weight is not None:
                weight[part] = rows.weight
            done = part.stop

    def stamp(self) -> tuple[object, ...]:
        """Return a value that changes when the file does: its size and modification time."""
        status = self.path.stat()
        return status.st_size, status.st_mtime_ns

    def read_all(self, comm: Communicator) -> Rows:
        """Return all rows on every rank; each rank reads its share. Collective.

        Raises
        ------
        DataError
            As :meth:`read`, the same on every rank.
        """
        part = share(len(self), comm.rank, comm.world_size)
        return gather_rows(lambda: self.read(part.start, part.stop), comm)

    @abstractmethod
    def locate(self, row: int) -> str:
        """Return where row number ``row``, from 0, is in the file, for a message."""

    @abstractmethod
    def close(self) -> None:
        """Release the resources of the reader."""

    @property
    @abstractmethod
    def row_bytes(self) -> int: ...
