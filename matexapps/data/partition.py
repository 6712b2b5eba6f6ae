"""How rows are cut into ranks' shares."""

from __future__ import annotations


def share(rows: int, rank: int, world_size: int) -> slice:
    """Return the contiguous share of ``rows`` that belongs to ``rank``.

    The shares of all ranks, in rank order, are all rows once each; their sizes differ by at most
    one row.
    """
    return slice(rows * rank // world_size, rows * (rank + 1) // world_size)
