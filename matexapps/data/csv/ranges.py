"""Cuts a CSV file into byte ranges of complete rows, without parsing what comes before each.

A line end ends a row only outside quotes, and a byte is inside quotes if the number of quotes
before it is odd. So each rank counts the quotes of its part of the file, the ranks exchange the
counts, and then each rank knows whether its part begins inside quotes.

Counting is correct only if every quote opens or closes a cell or doubles another: an opening one at
the cell's beginning, a closing one at its end. If a quote is elsewhere, as in ``12" pipe``, the
file is not cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matexapps.comm.communicator import Communicator
from matexapps.data.csv.dialect import Dialect
from matexapps.data.partition import share

_QUOTE, _LINE_FEED, _CARRIAGE_RETURN = b'"\n\r'
_BLOCK_BYTES = 2**20
_SMALL_BLOCK_BYTES = 2**16


@dataclass(frozen=True)
class ByteRange:
    """Complete rows of a file: its bytes ``start`` to ``stop - 1``."""

    start: int
    stop: int
    quoted: bool


@dataclass(frozen=True)
class _Quotes:
    """The quotes of a part: how many, and whether each opens or closes a cell.

    ``fits`` holds two answers: for a part that begins outside quotes, and for one that begins
    inside.
    """

    count: int
    fits: tuple[bool, bool]


def cut(
    path: Path, dialect: Dialect, bytes_each: int, comm: Communicator
) -> list[ByteRange] | None:
    """Return this rank's ranges, each of about ``bytes_each`` bytes. Collective.

    The ranges of all ranks, in rank order, hold every row of the file once.

    Parameters
    ----------
    path : Path
        A plain text file.
    dialect : Dialect
    bytes_each : int
    comm : Communicator

    Returns
    -------
    list of ByteRange, or None
        None, on every rank, if some quote neither opens nor closes a cell.

    Raises
    ------
    OSError
        On every rank, if one cannot read the file.
    """
    size = path.stat().st_size
    length = size - dialect.data_starts
    parts = comm.world_size * max(1, -(-length // (bytes_each * comm.world_size)))
    edges = [dialect.data_starts + length * i // parts for i in range(parts + 1)]
    own = share(parts, comm.rank, comm.world_size)
    own_quotes = comm.on_all(
        lambda: [_scan(path, dialect, *edges[i : i + 2]) for i in range(parts)[own]]
    )
    quotes = [part for others in comm.all_gather_object(own_quotes) for part in others]
    inside = [bool(before & 1) for before in np.cumsum([0, *(q.count for q in quotes)])]
    if inside[-1] or not all(q.fits[i] for q, i in zip(quotes, inside, strict=False)):
        return None
    starts = comm.on_all(
        lambda: [_next_row(path, edges[i], inside[i], size) for i in range(parts)[own] if i]
    )
    cuts = [dialect.data_starts]
    for others in comm.all_gather_object(starts):
        cuts += others
    cuts.append(size)
    quoted = any(q.count for q in quotes)
    ranges = [ByteRange(cuts[i], cuts[i + 1], quoted) for i in range(parts)[own]]
    return [part for part in ranges if part.stop > part.start]


def lines_before(path: Path, offset: int) -> int:
    """Return how many lines end before a byte of a plain file."""
    lines, last = 0, 0
    for block in _blocks(path, 0, offset):
        returns = block == _CARRIAGE_RETURN
        feeds = block == _LINE_FEED
        lines += int(np.count_nonzero(returns)) + int(np.count_nonzero(feeds))
        lines -= int(np.count_nonzero(returns[:-1] & feeds[1:]))
        lines -= last == _CARRIAGE_RETURN and bool(feeds[0])
        last = int(block[-1])
    return lines


def _scan(path: Path, dialect: Dialect, start: int, stop: int) -> _Quotes:
    """Count the quotes of a part, and check the bytes beside each."""
    before_cell = np.zeros(256, bool)
    before_cell[[_QUOTE, _LINE_FEED, _CARRIAGE_RETURN, ord(dialect.delimiter)]] = True
    count = 0
    fits = np.ones(2, bool)
    size = path.stat().st_size
    with path.open("rb") as file:
        for first in range(start, stop, _BLOCK_BYTES):
            last = min(first + _BLOCK_BYTES, stop)
            # One more byte on either side; the ends of the data count as line ends.
            file.seek(max(first - 1, dialect.data_starts))
            text = file.read(min(last + 1, size) - file.tell())
            text = b"\n" * (first == dialect.data_starts) + text + b"\n" * (last == size)
            block = np.frombuffer(text, np.uint8)
            quotes = np.flatnonzero(block[1:-1] == _QUOTE) + 1
            if not len(quotes):
                continue
            opens = before_cell[block[quotes - 1]]
            closes = before_cell[block[quotes + 1]]
            for inside in (0, 1):
                # The quotes at even positions open cells if none was open before the part.
                opening = (count + inside) % 2
                fits[inside] &= opens[opening::2].all() and closes[1 - opening :: 2].all()
            count += len(quotes)
    return _Quotes(count, (bool(fits[0]), bool(fits[1])))


def _next_row(path: Path, position: int, inside: bool, size: int) -> int:
    """Return the first byte from ``position`` on where a row begins; ``size`` if there is none."""
    begins = position - 1
    for block in _blocks(path, begins, size, _SMALL_BLOCK_BYTES):
        ends = np.flatnonzero(block == _LINE_FEED)
        quotes = np.flatnonzero(block == _QUOTE)
        # The byte before the position is only checked for a line end.
        quotes = quotes[quotes + begins >= position]
        outside = ends[(np.searchsorted(quotes, ends) + inside) % 2 == 0]
        if len(outside):
            return begins + int(outside[0]) + 1
        inside ^= bool(len(quotes) % 2)
        begins += len(block)
    return size


def _blocks(path: Path, start: int, stop: int, size: int = _BLOCK_BYTES) -> Iterator[NDArray[Any]]:
    with path.open("rb") as file:
        file.seek(start)
        while start < stop:
            text = file.read(min(size, stop - start))
            if not text:
                return
            yield np.frombuffer(text, np.uint8)
            start += len(text)
