"""The interface of all readers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from matexapps.comm.communicator import Communicator
from matexapps.data.partition import share
from matexapps.data.rows import Rows, concatenate
from matexapps.data.sharing import gather_rows


class Reader(ABC):
    """Reads rows of one source, by what a schema asks for. ``len(reader)`` is the number of rows.

    Attributes
    ----------
    path : Path
        The file, folder or pattern.
    columns : list of str
        Names of the feature columns; one name for samples that are arrays.
    sample_shape : tuple of int
        Shape of one row's features.
    block_rows : int
        How many rows are stored together; reads are cheapest from and to its multiples.
    by_row : bool
        Whether any rows can be read without reading those before them. Where not, :meth:`read`
        holds the whole file.
    row_bytes : int
        Bytes that one row takes in :class:`~matexapps.data.rows.Rows`.
    """

    path: Path
    columns: list[str]
    sample_shape: tuple[int, ...]
    block_rows: int = 1
    by_row: bool = True

    @abstractmethod
    def __len__(self) -> int: ...

    def estimated_rows(self) -> int:
        """Return about how many rows there are, without reading them."""
        return len(self)

    @abstractmethod
    def read(self, start: int = 0, stop: int | None = None) -> Rows:
        """Return rows ``start`` to ``stop - 1``, checked, with the label as float64.

        Raises
        ------
        DataError
            Naming file, row and column of the first value that cannot be used.
        """

    def read_ranges(self, ranges: Sequence[tuple[int, int]], *, checked: bool = False) -> Rows:
        """Return the rows of several ranges of row numbers, one after the other.

        Parameters
        ----------
        ranges : sequence of (start, stop)
            At least one.
        checked : bool
            Whether these rows have been read and found good before, so that looking at each value
            again may be left out.
        """
        return concatenate([self.read(start, stop) for start, stop in ranges])

    def stamp(self) -> tuple[object, ...]:
        """Return something that changes when the file does: its size and time."""
        status = self.path.stat()
        return status.st_size, status.st_mtime_ns

    def read_all(self, comm: Communicator) -> Rows:
        """Return all rows on every rank, each rank having read its share. Collective.

        Raises
        ------
        DataError
            As :meth:`read`, the same on every rank.
        """
        part = share(len(self), comm.rank, comm.world_size)
        return gather_rows(lambda: self.read(part.start, part.stop), comm)

    @abstractmethod
    def locate(self, row: int) -> str:
        """Say where row number ``row``, from 0, stands in the file, in a person's words."""

    @abstractmethod
    def close(self) -> None:
        """Give back what the reader holds."""

    @property
    @abstractmethod
    def row_bytes(self) -> int: ...
