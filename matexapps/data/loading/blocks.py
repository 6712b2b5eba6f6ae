"""The rows of one part of a file, read block by block."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matexapps.data.loading.reused import ReusedArrays
from matexapps.data.partition import RowNumbers
from matexapps.data.rows import Rows
from matexapps.data.sources.reader import Reader
from matexapps.data.sources.table import rows_in
from matexapps.errors import DataError

_BLOCKS_AT_ONCE = 8
_BLOCK_BYTES = 2**18
_BLOCKS_A_WINDOW = 24
_WINDOW_SHARE = 0.2


@dataclass(frozen=True)
class Blocks:
    """All rows of some blocks of a file.

    Attributes
    ----------
    features, label, weight : ndarray
        As in :class:`~matexapps.data.rows.Rows`.
    numbers : RowNumbers
        The rows' numbers in the source.
    """

    features: NDArray[np.float32]
    label: NDArray[Any]
    weight: NDArray[np.float64] | None
    numbers: RowNumbers


class FilePart:
    """The rows of one part of a file, in blocks of neighboring rows.

    Parameters
    ----------
    reader : Reader
        Reads any rows of the file.
    codes : ndarray of uint8, shape (rows of the file,)
        Which part each row of the file belongs to.
    code : int
        The part wanted.
    block_rows : int
        Rows of a block, the last of which may be shorter.
    window_rows : int
        Rows that are shuffled together, see :mod:`matexapps.data.loading.sampler`.
    label_dtype : type
        Of the labels.
    file_digest : str
        Fingerprint of the file.

    Attributes
    ----------
    reader : Reader
    window_rows : int
    counts, sizes : ndarray of int64, shape (blocks,)
        Rows of this part, and all rows, in each block.
    """

    def __init__(
        self,
        reader: Reader,
        codes: NDArray[np.uint8],
        code: int,
        block_rows: int,
        window_rows: int,
        label_dtype: type[np.float32] | type[np.int64],
        file_digest: str,
    ) -> None:
        self.reader, self.window_rows = reader, window_rows
        self._codes, self._code, self._block_rows = codes, code, block_rows
        self._label_dtype, self._file_digest = label_dtype, file_digest
        self._stamp = reader.stamp()
        starts = np.arange(0, len(codes), block_rows)
        self.counts: NDArray[np.int64] = np.add.reduceat(codes == code, starts, dtype=np.int64)
        self.sizes: NDArray[np.int64] = np.diff(starts, append=len(codes))

    def __len__(self) -> int:
        return int(self.counts.sum())

    @cached_property
    def digest(self) -> str:
        """A fingerprint of the file and of which of its rows these are."""
        state = hashlib.blake2b(self._file_digest.encode(), digest_size=16)
        for start in range(0, len(self._codes), 2**20):
            state.update(np.packbits(self._codes[start : start + 2**20] == self._code).data)
        return state.hexdigest()

    def blocks(self, numbers: Sequence[int] | NDArray[np.int64], arrays: ReusedArrays) -> Blocks:
        """Return all rows of some blocks.

        Values are not checked again: the first pass checked the whole file, and
        :meth:`require_unchanged` tells whether it is still that file.

        Parameters
        ----------
        numbers : sequence or ndarray of int
        arrays : ReusedArrays
            Memory for the rows.
        """
        ranges, rows = self._ranges(numbers), int(self.sizes[numbers].sum())
        features = arrays.empty("features", (rows, *self.reader.sample_shape), np.float32)
        label = arrays.empty("label", (rows,), self._label_dtype)
        weight = arrays.empty("weight", (rows,), np.float64) if self.reader.weighted else None
        self.reader.read_again(ranges, features, label, weight)
        return Blocks(features, label, weight, RowNumbers(ranges))

    def wanted(self, numbers: Sequence[int] | NDArray[np.int64]) -> NDArray[np.bool_] | None:
        """Return which rows of some blocks are rows of this part; None where all are."""
        if self.counts[numbers].sum() == self.sizes[numbers].sum():
            return None
        codes = [self._codes[start:stop] for start, stop in self._ranges(numbers)]
        return np.concatenate(codes) == self._code

    def between(self, start: int, stop: int) -> Iterator[Rows]:
        """Yield the rows numbered ``start`` to ``stop - 1`` of this part, in the file's order.

        Raises
        ------
        DataError
            If the file has changed.
        """
        self.require_unchanged()
        ends = np.cumsum(self.counts)
        block = int(np.searchsorted(ends, start, side="right"))
        while start < stop:
            numbers = range(block, min(block + _BLOCKS_AT_ONCE, len(ends)))
            first = int(ends[block] - self.counts[block])
            blocks = self.blocks(numbers, ReusedArrays())
            ids = blocks.numbers[np.arange(len(blocks.label))]
            columns = self.reader.columns
            rows = Rows(blocks.features, blocks.label, blocks.weight, ids, columns)
            here = slice(start - first, stop - first)
            wanted = self.wanted(numbers)
            rows = rows.take(here if wanted is None else np.flatnonzero(wanted)[here])
            if len(rows):
                yield rows
            start += len(rows)
            block = numbers.stop
        self.require_unchanged()

    def require_unchanged(self) -> None:
        """Raise a DataError unless the file is as it was at the first pass."""
        if self.reader.stamp() != self._stamp:
            raise DataError(
                f"{self.reader.path} has changed since it was first read: make the DataSet again"
            )

    def _ranges(self, numbers: Sequence[int] | NDArray[np.int64]) -> list[tuple[int, int]]:
        """Return the first row and the end of each of some blocks."""
        starts = np.asarray(numbers, np.int64) * self._block_rows
        return list(zip(starts.tolist(), (starts + self.sizes[numbers]).tolist(), strict=True))


def layout(rows: int, row_bytes: int, stored_rows: int, memory: int) -> tuple[int, int]:
    """Return the rows of a block and of a window.

    A block is what the file stores together, or 256 KiB where it can be read from anywhere. A
    window holds 24 blocks, so that every batch draws from 24 regions of the file, but at most a
    fifth of the memory bound: while one window is used, the next is read. Small windows stay in
    the processor's cache, which makes drawing batches from them cheap, and learn as well as large
    ones even from a file sorted by its label (benchmarks/shuffle.py).

    Parameters
    ----------
    rows : int
        Rows of the file.
    row_bytes : int
        Bytes of one row in memory.
    stored_rows : int
        Rows that the file stores together.
    memory : int
        Bytes that a rank may use.
    """
    most = max(1, int(_WINDOW_SHARE * memory) // row_bytes)
    block = min(rows_in(_BLOCK_BYTES, row_bytes, stored_rows), max(1, most // _BLOCKS_A_WINDOW))
    return min(block, rows), min(most, _BLOCKS_A_WINDOW * block)
