"""How many rows of a file are stored together."""

from __future__ import annotations

from collections.abc import Sequence

from matexapps.data.sources.table import BLOCK_BYTES, rows_in

_MOST_TOGETHER = 16 * BLOCK_BYTES


def chunk_rows(rows: int, row_bytes: Sequence[int]) -> int:
    """Return how many rows a chunk is to have, the same for all datasets of a file.

    About a MiB of the widest, and no more than 16 MiB of all together: so many rows are read at
    once.

    Parameters
    ----------
    rows : int
        All that there are.
    row_bytes : sequence of int
        What one row of each dataset takes.
    """
    together = max(1, _MOST_TOGETHER // max(1, sum(row_bytes)))
    return min(rows, rows_in(BLOCK_BYTES, max(row_bytes)), together)
