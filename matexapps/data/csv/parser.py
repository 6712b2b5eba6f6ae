"""Parses a CSV file in shares, one for each rank; pyarrow parses complete columns at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.csv as pa_csv

from matexapps.comm.communicator import Communicator
from matexapps.data.csv.columns import Block, CsvColumns, RefusedError
from matexapps.data.csv.dialect import Dialect
from matexapps.data.csv.fault import RowStart, find_fault, records
from matexapps.data.csv.ranges import ByteRange, cut, lines_before
from matexapps.data.schema.encoding import EMPTY_TEXTS
from matexapps.errors import DataError
from matexapps.progress import report_work

T = TypeVar("T")

RANGE_BYTES = 8 * 2**20
_BLOCK_BYTES = 2**20


class _UnparsedError(Exception):
    """A range cannot be parsed, although none of its rows is at fault."""


class CsvParser:
    """The rows of one file as blocks of numbers.

    Parameters
    ----------
    path : Path
    dialect : Dialect
    columns : CsvColumns
        The wanted columns and their types.
    """

    def __init__(self, path: Path, dialect: Dialect, columns: CsvColumns) -> None:
        self._path, self._dialect, self._columns = path, dialect, columns

    def share(self, comm: Communicator, take: Callable[[Iterator[Block]], T]) -> T:
        """Return what ``take`` makes of this rank's blocks. Collective.

        The blocks of all ranks, in rank order, hold every row once, in the file's order. Rank 0
        alone parses a gzip file, or one with quotes in the middle of cells; the others get no
        block.

        Parameters
        ----------
        comm : Communicator
        take : function
            May be called a second time, with blocks from the beginning; then only the second result
            counts.

        Raises
        ------
        DataError
            On every rank: the first fault of the file, with row and column.
        """
        ranges = None
        if not self._dialect.gzip:
            ranges = cut(self._path, self._dialect, RANGE_BYTES, comm)
        if ranges is not None:
            with suppress(_UnparsedError):
                return comm.on_all(lambda: take(self._ranged(ranges, comm)))
        return comm.on_all(lambda: take(self._sequential(comm) if comm.rank == 0 else iter(())))

    def _ranged(self, ranges: list[ByteRange], comm: Communicator) -> Iterator[Block]:
        """Yield the blocks of some ranges, in order; several are parsed at a time."""
        threads = max(1, min(len(ranges), pa.cpu_count() // comm.local_size))
        total = sum(part.stop - part.start for part in ranges)
        done = 0
        with ThreadPoolExecutor(threads) as pool:
            running: deque[tuple[ByteRange, Future[_Parsed]]] = deque()
            waiting = deque(ranges)
            while waiting or running:
                while waiting and len(running) <= threads:
                    part = waiting.popleft()
                    running.append((part, pool.submit(self._parse, part)))
                part, future = running.popleft()
                blocks, refusal = future.result()
                yield from blocks
                if refusal:
                    good = sum(len(block) for block in blocks)
                    start = RowStart(part.start, lines_before(self._path, part.start))
                    fault = find_fault(self._path, self._dialect, self._columns, good, start)
                    raise fault or _UnparsedError(refusal)
                done += part.stop - part.start
                self._report(comm, done, total)

    def _parse(self, part: ByteRange) -> _Parsed:
        """Return the blocks of a range up to its end or a fault, and pyarrow's complaint."""
        blocks: list[Block] = []
        with pa.OSFile(str(self._path)) as file:
            stream = file.get_stream(part.start, part.stop - part.start)
            try:
                blocks.extend(self._blocks(stream, 0, part.quoted))
            except (pa.ArrowException, RefusedError) as error:
                return blocks, _first_line(error)
        return blocks, ""

    def _sequential(self, comm: Communicator) -> Iterator[Block]:
        """Yield the blocks of the entire file, parsed from its beginning."""
        good = 0
        refusal = ""
        with pa.OSFile(str(self._path)) as file:
            stream = pa.CompressedInputStream(file, "gzip") if self._dialect.gzip else file
            try:
                for block in self._blocks(stream, self._dialect.header_lines, quoted=True):
                    yield block
                    good += len(block)
                    self._report(comm, file.tell(), file.size())
            except (pa.ArrowException, OSError, RefusedError) as error:
                refusal = _first_line(error)
        if refusal:
            fault = find_fault(self._path, self._dialect, self._columns, good)
            if fault is None and next(records(self._path, self._dialect), None) is not None:
                fault = DataError(f"{self._path} cannot be read as CSV: {refusal}")
            if fault is not None:
                raise fault

    def _blocks(self, stream: Any, skipped: int, quoted: bool) -> Iterator[Block]:
        """Yield the blocks of a stream of text after so many lines."""
        columns, dialect = self._columns, self._dialect
        read = pa_csv.ReadOptions(
            column_names=[str(i) for i in range(len(dialect.names))],
            skip_rows=skipped,
            block_size=max(_BLOCK_BYTES, 8 * dialect.first_line_bytes),
            use_threads=False,
        )
        parse = pa_csv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char='"' if quoted else False,
            newlines_in_values=quoted,
        )
        convert = pa_csv.ConvertOptions(
            column_types=columns.types,
            include_columns=[str(i) for i in columns.used],
            null_values=list(EMPTY_TEXTS) if columns.missing.nan else [],
            strings_can_be_null=False,
        )
        try:
            # For short-lived buffers of 1 MiB, the system's allocator was fastest.
            reader = pa_csv.open_csv(stream, read, parse, convert, pa.system_memory_pool())
        except pa.ArrowInvalid as error:
            if "Empty CSV file" in str(error):
                return
            raise
        for batch in reader:
            if batch.num_rows:
                yield columns.block(batch)

    def _report(self, comm: Communicator, done: int, total: int) -> None:
        report_work(f"reading {self._path.name}", done, total, "bytes", comm.rank, comm.world_size)


_Parsed = tuple[list[Block], str]


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
