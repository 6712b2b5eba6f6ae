"""Joining the ranks' rows through memory that all ranks of one host see."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

_LEAST_BYTES = 64 * 1024


class SharedRows:
    """Two places that are used in turn, so that one meeting of the ranks is enough each time.

    Who writes to a place for the next time but one has met all others in between, and so they have
    read what they found there.

    Parameters
    ----------
    allocate : callable
        Returns so many bytes that all ranks share. Collective.
    """

    def __init__(self, allocate: Callable[[int], NDArray[np.uint8]]) -> None:
        self._allocate = allocate
        self._places: list[NDArray[np.uint8]] = []

    def join(
        self, mine: NDArray[np.uint8], start: int, joined: NDArray[np.uint8],
        meet: Callable[[], None],
    ) -> None:  # fmt: skip
        """Fill ``joined`` with all ranks' bytes. Collective.

        Parameters
        ----------
        mine : ndarray of uint8
            This rank's bytes.
        start : int
            Where among all bytes they begin.
        joined : ndarray of uint8
            As long as those of all ranks together.
        meet : callable
            Returns once every rank has called it.
        """
        if not self._places or len(self._places[0]) < len(joined):
            meet()
            size = max(_LEAST_BYTES, 2 * len(joined))
            self._places = [self._allocate(size), self._allocate(size)]
        place = self._places[0]
        self._places.reverse()
        place[start : start + len(mine)] = mine
        meet()
        joined[:] = place[: len(joined)]
