"""Reads rows of plain HDF5 datasets from the file directly, bypassing the library.

HDF5 reads a chunk into its own buffer and copies the rows from there, under a lock. Rows that are
stored as they are in memory can be read into the target by the operating system, three times as
fast. This holds if a dataset has no filter (compression, checksum), holds numbers in this machine's
byte order, and its chunks hold complete rows.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class DirectRows:
    """Reads ranges of rows of one dataset.

    Parameters
    ----------
    path : Path
        The file.
    dataset : h5py.Dataset
        One that :func:`is_plain` accepts.
    """

    def __init__(self, path: Path, dataset: Any) -> None:
        self._dtype = dataset.dtype
        self._row_bytes = int(np.prod(dataset.shape[1:], dtype=np.int64)) * dataset.dtype.itemsize
        self._chunk_rows, self._offsets = _chunk_offsets(dataset)
        self._file = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))

    def read_into(self, target: NDArray[Any], ranges: Sequence[tuple[int, int]]) -> None:
        """Read the rows of several ranges, one after the other, into an array.

        Parameters
        ----------
        target : ndarray, shape (rows, \\*shape of a row)
            Of any numeric type; the dataset's own needs no copy.
        ranges : sequence of (start, stop)

        Raises
        ------
        OSError
            If the file ends before them.
        """
        if target.dtype == self._dtype and target.flags.c_contiguous:
            self._read_bytes(target.reshape(-1).view(np.uint8).data, ranges)
        else:
            rows = np.empty(target.shape, self._dtype)
            self._read_bytes(rows.reshape(-1).view(np.uint8).data, ranges)
            target[...] = rows

    def _read_bytes(self, target: memoryview, ranges: Sequence[tuple[int, int]]) -> None:
        chunk_rows, row_bytes, offsets = self._chunk_rows, self._row_bytes, self._offsets
        file, preadv = self._file, os.preadv
        done = 0
        for start, last in ranges:
            while start < last:
                chunk, row = divmod(start, chunk_rows)
                stop = min(last, start + chunk_rows - row)
                upto = done + (stop - start) * row_bytes
                offset = offsets[chunk] + row * row_bytes
                got = preadv(file, (target[done:upto],), offset)
                if got < upto - done:
                    self._fill(target[done + got : upto], offset + got)
                done, start = upto, stop

    def _fill(self, target: memoryview, offset: int) -> None:
        """Read what the first call did not."""
        while len(target):
            got = os.preadv(self._file, [target], offset)
            if not got:
                raise OSError(f"the file ends at byte {offset}, before these rows")
            target, offset = target[got:], offset + got

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def is_plain(dataset: Any) -> bool:
    """Whether the rows of a dataset are stored as they are in memory."""
    if not hasattr(os, "preadv") or dataset.size == 0 or dataset.file.userblock_size:
        return False
    if dataset.dtype.kind not in "fiu" or not dataset.dtype.isnative:
        return False
    created = dataset.id.get_create_plist()
    if created.get_nfilters() or created.get_external_count():
        return False
    if dataset.is_virtual or dataset.file.driver not in ("sec2", "default"):
        return False
    if dataset.chunks is None:
        return dataset.id.get_offset() is not None
    chunks = -(-dataset.shape[0] // dataset.chunks[0])
    return dataset.chunks[1:] == dataset.shape[1:] and dataset.id.get_num_chunks() == chunks


def _chunk_offsets(dataset: Any) -> tuple[int, list[int]]:
    """Return the rows of a chunk, and the offset of each chunk in the file, in order."""
    if dataset.chunks is None:
        return dataset.shape[0], [dataset.id.get_offset()]
    offsets: dict[int, int] = {}

    def add(chunk: Any) -> None:
        offsets[chunk.chunk_offset[0]] = chunk.byte_offset

    dataset.id.chunk_iter(add)
    return dataset.chunks[0], [offsets[first] for first in sorted(offsets)]
