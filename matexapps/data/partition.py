"""Ranges of rows: the shares of ranks, and the numbers of the rows in ranges."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def share(rows: int, rank: int, world_size: int) -> slice:
    """Return the contiguous share of ``rows`` that belongs to ``rank``.

    The shares of all ranks, in rank order, hold every row exactly once; their sizes differ by at
    most one row.
    """
    return slice(rows * rank // world_size, rows * (rank + 1) // world_size)


def share_by_work(work: Sequence[int], rank: int, world_size: int) -> slice:
    """Return the contiguous share of rows that belongs to ``rank``, where rows cost unequal work.

    The shares of all ranks, in rank order, hold every row exactly once. Each starts with the row in
    which its part of the total begins, so they differ by at most two rows' work.

    Parameters
    ----------
    work : sequence of int
        Of each row, at least 1, in any unit.
    """
    done = np.cumsum(work, dtype=np.int64)
    total = int(done[-1]) if len(done) else 0
    first, end = np.searchsorted(done * world_size, [total * rank, total * (rank + 1)], "right")
    return slice(int(first), int(end))


class RowNumbers:
    """The numbers of the rows in some ranges, one after the other, computed on access.

    Parameters
    ----------
    ranges : sequence of (start, stop)
    """

    def __init__(self, ranges: Sequence[tuple[int, int]]) -> None:
        self._ranges = ranges

    def __getitem__(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the numbers at these positions, counted from 0 through all ranges."""
        starts, stops = np.array(self._ranges, np.int64).reshape(-1, 2).T
        ends = np.cumsum(stops - starts)
        return positions + (stops - ends)[np.searchsorted(ends, positions, side="right")]
