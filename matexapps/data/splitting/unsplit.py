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
from matexapps.data.loading.streamed import StreamedRows
from matexapps.data.part import Part
from matexapps.data.rows import Rows
from matexapps.data.schema.labels import LabelFacts, require_binary
from matexapps.data.schema.schema import Schema
from matexapps.data.sources.formats import files_of, open_reader
from matexapps.data.sources.probe import Probe
from matexapps.data.sources.reader import Reader
from matexapps.data.sources.source import ArraySource, FileSource, fits, resolve
from matexapps.data.splitting.scan import Scan, scan

_WORTH_A_COPY = 50 * 10**6
"""Bytes in memory from which text is copied, so that the next reading need not parse it."""


class UnsplitRows(ABC):
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
    ) -> Part:
        """Return the rows whose code is ``code``, with labels of type ``dtype``."""


def read_unsplit(
    source: FileSource | ArraySource, schema: Schema, comm: Communicator, *, keep_label: bool
) -> UnsplitRows:
    """Return the rows of a source: in memory if they fit, otherwise in their file. Collective.

    Rows that take more than half of the source's memory stay in the file.

    Parameters
    ----------
    source : FileSource or ArraySource
    schema : Schema
    comm : Communicator
    keep_label : bool
        Whether the labels of all rows are wanted.

    Raises
    ------
    DataError
        The same on every rank.
    """
    if isinstance(source, ArraySource):
        return _of_arrays(source, schema)
    may_download = comm.world_size == 1
    path, known = comm.on_root(lambda: resolve(source.path, schema, may_download=may_download))
    reader = _open(path, known, comm)
    try:
        if not reader.by_row:
            reader = _faster(reader, known, source.memory, comm)
        if fits(reader.estimated_rows(), reader.row_bytes, source.memory):
            rows: UnsplitRows = _InMemory(reader.read_all(comm))
        else:
            rows = _scan(reader, source.memory, comm, keep_label=keep_label)
        if schema.binary:
            comm.on_root(lambda: require_binary(rows.labels, str(path), reader.locate))
    except BaseException:
        reader.close()
        raise
    if isinstance(rows, _InMemory):
        reader.close()
    return rows


def _of_arrays(source: ArraySource, schema: Schema) -> UnsplitRows:
    rows = _InMemory(source.rows)
    if schema.binary:
        require_binary(rows.labels, source.name)
    return rows


def _faster(reader: Reader, schema: Schema, memory: int, comm: Communicator) -> Reader:
    """Return a reader of the columnar copy if the file is large text or has a copy already."""
    from matexapps.data.csv.cache import columnar_copy, has_copy

    rows, row_bytes = reader.estimated_rows(), reader.row_bytes
    worth = not fits(rows, row_bytes, memory) or rows * row_bytes > _WORTH_A_COPY
    if worth or comm.on_root(lambda: has_copy(reader, schema)):
        return columnar_copy(reader, schema, comm)
    return reader


def _scan(reader: Reader, memory: int, comm: Communicator, *, keep_label: bool) -> UnsplitRows:
    block_rows, window_rows = layout(len(reader), reader.row_bytes, reader.block_rows, memory)
    result = scan(reader, block_rows, comm, keep_label=keep_label)
    return _InFile(reader, result, block_rows, window_rows, memory)


def _open(path: Path, schema: Schema, comm: Communicator) -> Reader:
    """Open on rank 0 first: one error message, and a file that crashes its library harms nobody."""
    reader: Reader | None = None

    def first() -> None:
        nonlocal reader
        with Probe() as probe:
            for file in files_of(path):
                probe.check(file, schema)
        reader = open_reader(path, schema)

    comm.on_root(first)
    return reader if reader is not None else open_reader(path, schema)


class _InMemory(UnsplitRows):
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


class _InFile(UnsplitRows):
    def __init__(
        self, reader: Reader, result: Scan, block_rows: int, window_rows: int, memory: int
    ) -> None:
        self._reader, self._scan, self._memory = reader, result, memory
        self._block_rows, self._window_rows = block_rows, window_rows
        self.columns, self.labels = reader.columns, result.labels
        self.label, self.key = result.label, result.key

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
            self._scan.digest,
        )
        return StreamedRows(file, self._memory)
