"""Several CSV files read as one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from matexapps.comm.communicator import Communicator
from matexapps.comm.single import SingleProcess
from matexapps.data.csv.reader import CsvReader
from matexapps.data.partition import share
from matexapps.data.rows import Rows, gather_rows
from matexapps.data.sources.reader import Reader
from matexapps.data.sources.several_files import (
    joined,
    require_same_columns,
    require_same_kind,
    stamp_of,
)

_MANY_FILES = 4


class CsvFiles(Reader):
    """Rows of several CSV files, one after the other; parsed once, then kept in memory.

    Parameters
    ----------
    path : Path
        The folder or pattern.
    readers : sequence of CsvReader
        The files, in order.

    Raises
    ------
    DataError
        If a file has other columns than the first one.
    """

    by_row = False

    def __init__(self, path: Path, readers: Sequence[CsvReader]) -> None:
        self.path, self.readers = path, readers
        for reader in readers:
            require_same_columns(reader, reader.path, readers[0], readers[0].path)
        self.columns, self.sample_shape = readers[0].columns, readers[0].sample_shape
        self.weighted = readers[0].weighted
        self._rows: Rows | None = None
        self._lengths: list[int] = []

    @property
    def row_bytes(self) -> int:
        return self.readers[0].row_bytes

    def __len__(self) -> int:
        return len(self.read_all(SingleProcess()))

    def estimated_rows(self) -> int:
        """Return the number of rows, estimated from each file's first MiB; exact after reading."""
        if self._rows is not None:
            return len(self._rows)
        return sum(reader.estimated_rows() for reader in self.readers)

    def read(self, start: int = 0, stop: int | None = None) -> Rows:
        return self.read_all(SingleProcess()).take(slice(start, stop))

    def read_all(self, comm: Communicator) -> Rows:
        """Return all rows on every rank. Collective.

        Ranks share complete files if there are many or they are compressed, otherwise the bytes of
        each file.

        Raises
        ------
        DataError
            As :meth:`read`, the same on every rank.
        """
        if not all(comm.all_gather_object(self._rows is not None)):
            files, ranks = len(self.readers), comm.world_size
            compressed = any(reader.compressed for reader in self.readers)
            whole_files = files >= (ranks if compressed else _MANY_FILES * ranks)
            self._rows = self._read_files(comm) if whole_files else self._read_bytes(comm)
        assert self._rows is not None
        return self._rows

    def stamp(self) -> tuple[object, ...]:
        return stamp_of([reader.path for reader in self.readers])

    def locate(self, row: int) -> str:
        starts = np.cumsum([0, *self._lengths])
        i = int(np.searchsorted(starts, row, side="right")) - 1
        return f"{self.readers[i].path}, {self.readers[i].locate(row - int(starts[i]))}"

    def close(self) -> None:
        self._rows = None
        for reader in self.readers:
            reader.close()

    def _read_files(self, comm: Communicator) -> Rows:
        """Read with each rank parsing its share of the files."""
        own = self.readers[share(len(self.readers), comm.rank, comm.world_size)]
        rows, lengths = comm.on_all(lambda: self._joined(own, SingleProcess()))
        self._lengths = list(chain.from_iterable(comm.all_gather_object(lengths)))
        if rows.key is not None:
            samples = comm.all_gather_object((rows.key[:1], own[0].path))
            for sample, path in samples:
                require_same_kind(samples[0][0], sample, path)
        return gather_rows(lambda: rows, comm)

    def _read_bytes(self, comm: Communicator) -> Rows:
        """Read with all ranks parsing parts of each file."""
        rows, self._lengths = self._joined(self.readers, comm)
        return rows

    @staticmethod
    def _joined(readers: Sequence[CsvReader], comm: Communicator) -> tuple[Rows, list[int]]:
        parts: deque[tuple[Path, Rows]] = deque()
        for reader in readers:
            parts.append((reader.path, reader.read_all(comm)))
            reader.close()
        lengths = [len(rows) for _, rows in parts]

        def in_turn() -> Iterator[tuple[Path, Rows]]:
            while parts:
                yield parts.popleft()

        return joined(sum(lengths), in_turn()), lengths
