"""Rows of one part that stay in their file, because all of them do not fit into memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from matexapps.data.reader import Reader
from matexapps.data.rows import Rows
from matexapps.errors import DataError

if TYPE_CHECKING:
    from matexapps.data.batch import Batch


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
        label_dtype: type[np.float32] | type[np.int64],
        file_digest: str,
        memory: int,
    ) -> None:
        self._reader, self._parts, self._part = reader, parts, part
        self._block_rows, self._label_dtype = block_rows, label_dtype
        self._file_digest = file_digest
        self.columns, self.sample_shape = reader.columns, reader.sample_shape
        self.memory = memory
        starts = np.arange(0, len(parts), block_rows)
        self.counts: NDArray[np.int64] = np.add.reduceat(parts == part, starts, dtype=np.int64)

    def __len__(self) -> int:
        return int(self.counts.sum())

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

    def block(self, number: int) -> tuple[Rows, NDArray[np.int64] | None]:
        """Return all rows of block ``number``, and the places of this part's among them.

        None stands for all places.
        """
        start = number * self._block_rows
        stop = min(start + self._block_rows, len(self._parts))
        rows = self._reader.read(start, stop)
        rows = replace(rows, label=rows.label.astype(self._label_dtype, copy=False), key=None)
        if self.counts[number] == len(rows):
            return rows, None
        return rows, np.flatnonzero(self._parts[start:stop] == self._part)

    def between(self, start: int, stop: int) -> Iterator[Rows]:
        """Yield the rows numbered ``start`` to ``stop - 1`` of this part, in the file's order."""
        ends = np.cumsum(self.counts)
        for number in range(int(np.searchsorted(ends, start, side="right")), len(ends)):
            first = int(ends[number] - self.counts[number])
            if first >= stop:
                return
            if self.counts[number]:
                rows, members = self.block(number)
                here = slice(max(0, start - first), stop - first)
                yield rows.take(here if members is None else members[here])

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
                f"{len(self):,} rows need {needed / 1e9:.1f} GB as a table, more than "
                f"memory={self.memory / 1e9:.1f} GB: raise memory=, or go through .batches()"
            )
        return pd.concat([rows.to_pandas() for rows in self.between(0, len(self))])

    def batches(self, batch_size: int = 1024, **settings: Any) -> Iterator[Batch]:
        """Yield all rows in batches: see :func:`matexapps.data.loader.batches`."""
        from matexapps.data.loader import batches

        return batches(self, batch_size, **settings)

    def __getattr__(self, name: str) -> Any:
        if name in ("features", "label", "weight", "ids"):
            raise DataError(
                f".{name} of {len(self):,} rows does not fit into memory="
                f"{self.memory / 1e9:.1f} GB: raise memory=, or go through .batches()"
            )
        raise AttributeError(name)


def in_memory(part: Rows | StreamedRows) -> Rows:
    """Return rows that are in memory as they are.

    Raises
    ------
    DataError
        If they are not.
    """
    if isinstance(part, StreamedRows):
        raise DataError(
            f"{len(part):,} rows are larger than memory={part.memory / 1e9:.1f} GB allows, and "
            "here all are needed at once: raise memory="
        )
    return part
