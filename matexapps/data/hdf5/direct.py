"""Rows of plain HDF5 datasets, read past the library from where it says that they lie.

HDF5 reads a chunk into a buffer of its own and copies the rows from there, under a lock; for rows
that are stored as they are in memory the operating system can put them into place at once, three
times as fast. That is so where a dataset has no filter (compression, checksum), holds numbers in
this machine's byte order, and its chunks hold whole rows.
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
        One that :func:`is_plain` says yes of.
    """

    def __init__(self, path: Path, dataset: Any) -> None:
        self._dtype = dataset.dtype
        self._row_bytes = int(np.prod(dataset.shape[1:], dtype=np.int64)) * dataset.dtype.itemsize
        self._chunk_rows, self._offsets = _places(dataset)
        self._file = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))

    def read_into(self, target: NDArray[Any], ranges: Sequence[tuple[int, int]]) -> None:
        """Put the rows of ranges of row numbers, one after the other, into an array.

        Parameters
        ----------
        target : ndarray, shape (rows, \\*shape of a row)
            Of any type of numbers; the dataset's own costs no copy.
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
                place = offsets[chunk] + row * row_bytes
                got = preadv(file, (target[done:upto],), place)
                if got < upto - done:
                    self._fill(target[done + got : upto], place + got)
                done, start = upto, stop

    def _fill(self, target: memoryview, place: int) -> None:
        """Read what a first try did not."""
        while len(target):
            got = os.preadv(self._file, [target], place)
            if not got:
                raise OSError(f"the file ends at byte {place}, before these rows")
            target, place = target[got:], place + got

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def is_plain(dataset: Any) -> bool:
    """Whether the rows of a dataset lie in its file as they would in memory."""
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


def _places(dataset: Any) -> tuple[int, list[int]]:
    """Return the rows of a chunk, and where in the file each chunk begins, in order."""
    if dataset.chunks is None:
        return dataset.shape[0], [dataset.id.get_offset()]
    found: dict[int, int] = {}
    dataset.id.chunk_iter(lambda chunk: found.__setitem__(chunk.chunk_offset[0], chunk.byte_offset))
    return dataset.chunks[0], [found[first] for first in sorted(found)]
