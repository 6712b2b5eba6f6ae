"""Reads CSV and TSV, plain or gzip."""

from __future__ import annotations

import zlib
from collections import deque
from pathlib import Path

import numpy as np

from matexapps.comm.communicator import Communicator
from matexapps.comm.single import SingleProcess
from matexapps.data.csv.columns import KEY_DTYPES, Block, CsvColumns, key_type, key_values
from matexapps.data.csv.dialect import detect
from matexapps.data.csv.fault import records
from matexapps.data.csv.parser import CsvParser
from matexapps.data.rows import Rows, gather_rows
from matexapps.data.schema.schema import Schema
from matexapps.data.sources.reader import Reader
from matexapps.errors import DataError

_SAMPLE_BYTES = 2**20


class CsvReader(Reader):
    """Rows of a CSV file. The file is parsed once, on first use, then kept in memory.

    Parameters
    ----------
    path : Path
        A text file, plain or gzip.
    schema : Schema
        Which columns are wanted; what it leaves out is detected by the rules of
        :mod:`matexapps.data.csv.dialect`.

    Attributes
    ----------
    parser : CsvParser
        Parses the file without keeping it.
    wanted : CsvColumns

    Raises
    ------
    DataError
        If the file is not text in columns, or a wanted column does not exist.
    """

    by_row = False

    def __init__(self, path: Path, schema: Schema) -> None:
        self.path = path
        self._dialect = detect(path, schema)
        self.wanted = CsvColumns(self._dialect.names, schema, str(path))
        self.parser = CsvParser(path, self._dialect, self.wanted)
        self.columns = self.wanted.features
        self.sample_shape = (len(self.columns),)
        self.weighted = self.wanted.roles.weight is not None
        self._rows: Rows | None = None

    @property
    def row_bytes(self) -> int:
        others = (self.wanted.roles.weight, self.wanted.roles.key)
        return 4 * len(self.columns) + 8 + 8 + 8 * sum(column is not None for column in others)

    @property
    def compressed(self) -> bool:
        """Whether only one rank at a time can read the file."""
        return self._dialect.gzip

    def __len__(self) -> int:
        return len(self.read_all(SingleProcess()))

    def estimated_rows(self) -> int:
        """Return the number of rows, estimated from the first MiB; exact after reading."""
        if self._rows is not None:
            return len(self._rows)
        with self.path.open("rb") as file:
            sample, size = file.read(_SAMPLE_BYTES), self.path.stat().st_size
        taken = len(sample)
        if self.compressed:
            stream = zlib.decompressobj(wbits=31)
            try:
                sample = stream.decompress(sample, _SAMPLE_BYTES)
            except zlib.error:
                return 1
            taken -= len(stream.unconsumed_tail)
        text = np.frombuffer(sample, np.uint8)
        outside = np.cumsum(text == ord('"')) % 2 == 0
        lines = [np.count_nonzero(outside & (text == end)) for end in b"\n\r"]
        return max(1, round(max(lines) * size / max(1, taken)))

    def read(self, start: int = 0, stop: int | None = None) -> Rows:
        return self.read_all(SingleProcess()).take(slice(start, stop))

    def read_all(self, comm: Communicator) -> Rows:
        """Return all rows on every rank; each rank parses its part of the bytes. Collective.

        Raises
        ------
        DataError
            As :meth:`read`, the same on every rank.
        """
        if not all(comm.all_gather_object(self._rows is not None)):
            self._rows = gather_rows(lambda: self.read_share(comm), comm)
        assert self._rows is not None
        return self._rows

    def read_share(self, comm: Communicator) -> Rows:
        """Return this rank's part of the rows, without keeping it. Collective.

        The parts of all ranks, in rank order, hold all rows.

        Raises
        ------
        DataError
            As :meth:`read`, the same on every rank.
        """
        blocks: deque[Block] = self.parser.share(comm, deque)
        count = sum(len(block) for block in blocks)
        kind = key_type([block.key for block in blocks if block.key is not None])
        counts, kinds = zip(*comm.all_gather_object((count, kind)), strict=True)
        if not sum(counts):
            raise DataError(f"{self.path} holds a header but no rows")
        return self._joined(blocks, count, sum(counts[: comm.rank]), max(kinds))

    def locate(self, row: int) -> str:
        for number, (line, _, _) in enumerate(records(self.path, self._dialect)):
            if number == row:
                return f"row {line}"
        raise IndexError(row)

    def close(self) -> None:
        self._rows = None

    def _joined(self, blocks: deque[Block], count: int, first: int, kind: int) -> Rows:
        """Join blocks to rows from number ``first``, releasing each once it is copied."""
        roles = self.wanted.roles
        rows = Rows(
            features=np.empty((count, len(self.columns)), np.float32),
            label=np.empty(count, np.float64),
            weight=None if roles.weight is None else np.empty(count, np.float64),
            ids=np.arange(first, first + count, dtype=np.int64),
            columns=self.columns,
            key=None if roles.key is None else np.empty(count, KEY_DTYPES[kind]),
        )
        start = 0
        while blocks:
            block = blocks.popleft()
            part = slice(start, start + len(block))
            rows.features[part], rows.label[part] = block.features, block.label
            if rows.weight is not None:
                rows.weight[part] = block.weight
            if rows.key is not None:
                rows.key[part] = key_values(block.key, kind)
            start = part.stop
        return rows
