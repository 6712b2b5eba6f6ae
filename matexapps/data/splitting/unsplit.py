"""All rows of one source, in memory or in their file, before they are split."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matexapps.comm.communicator import Communicator
from matexapps.data.loading.blocks import FilePart, layout
from matexapps.data.loading.memory import fits
from matexapps.data.loading.streamed import StreamedRows
from matexapps.data.rows import Rows
from matexapps.data.schema.labels import LabelFacts, require_binary
from matexapps.data.schema.schema import Schema
from matexapps.data.sources.formats import files_of, open_reader
from matexapps.data.sources.probe import Probe
from matexapps.data.sources.reader import Reader
from matexapps.data.sources.source import resolve
from matexapps.data.splitting.scan import Scan, scan

_WORTH_A_COPY = 50 * 10**6
"""Bytes in memory from which on text is not parsed again at the next reading."""


class Whole(ABC):
    """All rows of one source.

    Attributes
    ----------
    columns : list of str
    labels : LabelFacts
    label, key : ndarray, shape (rows,), or None
        The label and the key of every row, where a split needs them.
    """

    columns: list[str]
    labels: LabelFacts
    label: NDArray[Any] | None
    key: NDArray[Any] | None

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def part(
        self, codes: NDArray[np.uint8], code: int, dtype: type[np.float32] | type[np.int64]
    ) -> Rows | StreamedRows:
        """Return the rows whose code is ``code``, with labels of type ``dtype``."""


def whole_of_rows(rows: Rows) -> Whole:
    """Return rows that are in memory."""
    return _InMemory(rows)


def whole_of_file(
    source: str | Path,
    schema: Schema,
    memory: int,
    comm: Communicator,
    binary: bool,
    *,
    keep_label: bool,
) -> Whole:
    """Return the rows of a file or catalog name. Collective.

    Parameters
    ----------
    source : str or Path
    schema : Schema
    memory : int
        Bytes that a rank may use: rows that take more than half of it stay in the file.
    comm : Communicator
    binary : bool
        Whether every label must be 0 or 1, and both must occur.
    keep_label : bool
        Whether the labels of all rows are wanted.

    Raises
    ------
    DataError
        The same on every rank.
    """
    path, known = comm.on_root(lambda: resolve(source, schema, may_download=comm.world_size == 1))
    reader = _open(path, known, comm)
    try:
        if not reader.by_row:
            reader = _faster(reader, known, memory, comm)
        if fits(reader.estimated_rows(), reader.row_bytes, memory):
            whole: Whole = _InMemory(reader.read_all(comm))
        else:
            whole = _in_file(reader, memory, comm, keep_label=keep_label)
        if binary:
            comm.on_root(lambda: require_binary(whole.labels, str(path), reader.locate))
    except BaseException:
        reader.close()
        raise
    if isinstance(whole, _InMemory):
        reader.close()
    return whole


def _faster(reader: Reader, schema: Schema, memory: int, comm: Communicator) -> Reader:
    """Return a reader of the columnar copy of text that is large, or has a copy already."""
    from matexapps.data.csv.cache import columnar_copy, has_copy

    rows, row_bytes = reader.estimated_rows(), reader.row_bytes
    worth = not fits(rows, row_bytes, memory) or rows * row_bytes > _WORTH_A_COPY
    if worth or comm.on_root(lambda: has_copy(reader, schema)):
        return columnar_copy(reader, schema, comm)
    return reader


def _in_file(reader: Reader, memory: int, comm: Communicator, *, keep_label: bool) -> Whole:
    block_rows, window_rows = layout(len(reader), reader.row_bytes, reader.block_rows, memory)
    found = scan(reader, block_rows, comm, keep_label=keep_label)
    return _InFile(reader, found, block_rows, window_rows, memory)


def _open(path: Path, schema: Schema, comm: Communicator) -> Reader:
    """Open on rank 0 first, so that what is wrong with the file is said once, and kills nothing."""
    reader: Reader | None = None

    def first() -> None:
        nonlocal reader
        with Probe() as probe:
            for one in files_of(path):
                probe.check(one, schema)
        reader = open_reader(path, schema)

    comm.on_root(first)
    return reader if reader is not None else open_reader(path, schema)


class _InMemory(Whole):
    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.columns, self.label, self.key = rows.columns, rows.label, rows.key
        self.labels = LabelFacts.of(rows.label, rows.ids)

    def __len__(self) -> int:
        return len(self._rows)

    def part(
        self, codes: NDArray[np.uint8], code: int, dtype: type[np.float32] | type[np.int64]
    ) -> Rows:
        rows = self._rows.take(np.flatnonzero(codes == code))
        return replace(rows, label=rows.label.astype(dtype, copy=False), key=None)


class _InFile(Whole):
    def __init__(
        self, reader: Reader, found: Scan, block_rows: int, window_rows: int, memory: int
    ) -> None:
        self._reader, self._found, self._memory = reader, found, memory
        self._block_rows, self._window_rows = block_rows, window_rows
        self.columns, self.labels = reader.columns, found.labels
        self.label, self.key = found.label, found.key

    def __len__(self) -> int:
        return len(self._reader)

    def part(
        self, codes: NDArray[np.uint8], code: int, dtype: type[np.float32] | type[np.int64]
    ) -> StreamedRows:
        file = FilePart(
            self._reader,
            codes,
            code,
            self._block_rows,
            self._window_rows,
            dtype,
            self._found.digest,
        )
        return StreamedRows(file, self._memory)
