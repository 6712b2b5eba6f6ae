"""Rows of one part that stay in their file, because all of them do not fit into memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich import filesize

from matexapps.data.loading.reused import ReusedArrays
from matexapps.data.rows import RowNumbers, Rows
from matexapps.data.sources.reader import Reader
from matexapps.data.sources.table import rows_in
from matexapps.errors import DataError

if TYPE_CHECKING:
    from matexapps.data.loading.batch import Batch


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


class StreamedRows:
    """The rows of one part of a file, read block by block.

    Parameters
    ----------
    reader : Reader
        Reads any rows of the file.
    parts : ndarray of uint8, shape (rows of the file,)
        Which part each row of the file belongs to.
    part : int
        The part wanted.
    block_rows : int
        Rows of a block, the last of which may be shorter.
    window_rows : int
        Rows that are shuffled together, see :mod:`matexapps.data.loading.sampler`.
    label_dtype : type
        Of the labels.
    file_digest : str
        Fingerprint of the file.
    memory : int
        Bytes that a rank may use.

    Attributes
    ----------
    columns : list of str
    sample_shape : tuple of int
    memory : int
    """

    def __init__(
        self,
        reader: Reader,
        parts: NDArray[np.uint8],
        part: int,
        block_rows: int,
        window_rows: int,
        label_dtype: type[np.float32] | type[np.int64],
        file_digest: str,
        memory: int,
    ) -> None:
        self._reader, self._parts, self._part = reader, parts, part
        self._block_rows, self.label_dtype = block_rows, label_dtype
        self.window_rows = window_rows
        self._file_digest = file_digest
        self.columns, self.sample_shape = reader.columns, reader.sample_shape
        self.memory = memory
        self._stamp = reader.stamp()
        starts = np.arange(0, len(parts), block_rows)
        self.counts: NDArray[np.int64] = np.add.reduceat(parts == part, starts, dtype=np.int64)
        self.sizes: NDArray[np.int64] = np.diff(starts, append=len(parts))

    def __len__(self) -> int:
        return int(self.counts.sum())

    def __repr__(self) -> str:
        return (
            f"StreamedRows({len(self):,} rows in {self._reader.path}, "
            f"{filesize.decimal(self.memory)} of memory)"
        )

    @property
    def row_bytes(self) -> int:
        """Bytes of one row in memory."""
        return self._reader.row_bytes

    @cached_property
    def _digest(self) -> str:
        state = hashlib.blake2b(self._file_digest.encode(), digest_size=16)
        for start in range(0, len(self._parts), 2**20):
            state.update(np.packbits(self._parts[start : start + 2**20] == self._part).data)
        return state.hexdigest()

    def digest(self) -> str:
        """Return a fingerprint of these rows."""
        return self._digest

    @property
    def copied(self) -> bool:
        """Whether reading rows is no more than copying them, once the file is in memory."""
        return self._reader.copied

    def blocks(self, numbers: Sequence[int] | NDArray[np.int64], arrays: ReusedArrays) -> Blocks:
        """Return all rows of some blocks.

        Values are not checked again: the whole file was, and :meth:`require_unchanged` says
        whether it still is that file.

        Parameters
        ----------
        numbers : sequence or ndarray of int
        arrays : ReusedArrays
            Where the rows are put.
        """
        ranges, rows = self._ranges(numbers), int(self.sizes[numbers].sum())
        features = arrays.empty("features", (rows, *self.sample_shape), np.float32)
        label = arrays.empty("label", (rows,), self.label_dtype)
        weight = arrays.empty("weight", (rows,), np.float64) if self._reader.weighted else None
        self._reader.read_again(ranges, features, label, weight)
        return Blocks(features, label, weight, RowNumbers(ranges))

    def wanted(self, numbers: Sequence[int] | NDArray[np.int64]) -> NDArray[np.bool_] | None:
        """Return which rows of some blocks are rows of this part; None where all are."""
        if self.counts[numbers].sum() == self.sizes[numbers].sum():
            return None
        parts = [self._parts[start:stop] for start, stop in self._ranges(numbers)]
        return np.concatenate(parts) == self._part

    def _ranges(self, numbers: Sequence[int] | NDArray[np.int64]) -> list[tuple[int, int]]:
        """Return first row and end of some blocks."""
        starts = np.asarray(numbers, np.int64) * self._block_rows
        return list(zip(starts.tolist(), (starts + self.sizes[numbers]).tolist(), strict=True))

    def require_unchanged(self) -> None:
        """Raise a DataError if the file is not as it was when it was looked through."""
        if self._reader.stamp() != self._stamp:
            raise DataError(
                f"{self._reader.path} has changed since it was looked through: make the DataSet "
                "anew"
            )

    def between(self, start: int, stop: int) -> Iterator[Rows]:
        """Yield the rows numbered ``start`` to ``stop - 1`` of this part, in the file's order."""
        self.require_unchanged()
        ends = np.cumsum(self.counts)
        at = int(np.searchsorted(ends, start, side="right"))
        while start < stop:
            some = range(at, min(at + _BLOCKS_AT_ONCE, len(ends)))
            first = int(ends[at] - self.counts[at])
            blocks = self.blocks(some, ReusedArrays())
            ids = blocks.numbers[np.arange(len(blocks.label))]
            rows = Rows(blocks.features, blocks.label, blocks.weight, ids, self.columns)
            here = slice(start - first, stop - first)
            wanted = self.wanted(some)
            rows = rows.take(here if wanted is None else np.flatnonzero(wanted)[here])
            if len(rows):
                yield rows
            start += len(rows)
            at = some.stop
        self.require_unchanged()

    def to_pandas(self) -> pd.DataFrame:
        """Return a table of all rows, as :meth:`matexapps.data.rows.Rows.to_pandas`.

        Raises
        ------
        DataError
            If they do not fit into the memory bound.
        """
        needed = 2 * len(self) * self.row_bytes
        if needed > self.memory:
            raise DataError(
                f"{len(self):,} rows need {filesize.decimal(needed)} as a table, more than the "
                f"{filesize.decimal(self.memory)} of memory=: raise it, or go through .batches()"
            )
        return pd.concat([rows.to_pandas() for rows in self.between(0, len(self))])

    def batches(self, batch_size: int = 1024, **settings: Any) -> Iterator[Batch]:
        """Yield all rows in batches: see :func:`matexapps.data.loading.loader.batches`."""
        from matexapps.data.loading.loader import batches

        return batches(self, batch_size, **settings)

    def __getattr__(self, name: str) -> Any:
        if name in ("features", "label", "weight", "ids"):
            raise DataError(
                f".{name} of {len(self):,} rows does not fit into the "
                f"{filesize.decimal(self.memory)} of memory=: raise it, or go through .batches()"
            )
        raise AttributeError(name)


def layout(rows: int, row_bytes: int, stored_rows: int, memory: int) -> tuple[int, int]:
    """Return the rows of a block and of a window.

    A block is what the file stores together, or 256 KiB where it can be read from anywhere. A
    window holds 24 blocks, so that every batch draws from 24 regions of the file, but at most a
    fifth of the memory bound: one window is used, the next is read meanwhile. Small windows stay
    in the processor's cache, which makes drawing batches from them cheap, and learn as well as
    large ones even from a file sorted by its label (benchmarks/shuffle.py).

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


def in_memory(part: Rows | StreamedRows) -> Rows:
    """Return rows that are in memory as they are.

    Raises
    ------
    DataError
        If they are not.
    """
    if isinstance(part, StreamedRows):
        raise DataError(
            f"{len(part):,} rows are larger than the {filesize.decimal(part.memory)} of memory= "
            "allow, and here all are needed at once: raise it"
        )
    return part
