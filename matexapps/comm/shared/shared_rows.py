"""Gathering rows through memory that all ranks of one host share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

_MIN_BYTES = 64 * 1024


class SharedRows:
    """Two buffers that are used in turn, so that each gather synchronizes the ranks only once.

    A rank writes to a buffer again two gathers later. It has synchronized with the others in
    between, so they have read what the buffer held.

    Parameters
    ----------
    allocate : callable
        Takes a number of bytes and returns memory that all ranks share. Collective.
    """

    def __init__(self, allocate: Callable[[int], NDArray[np.uint8]]) -> None:
        self._allocate = allocate
        self._buffers: list[NDArray[np.uint8]] = []

    def join(
        self, own: NDArray[np.uint8], start: int, joined: NDArray[np.uint8],
        synchronize: Callable[[], None],
    ) -> None:  # fmt: skip
        """Fill ``joined`` with all ranks' bytes. Collective.

        Parameters
        ----------
        own : ndarray of uint8
            This rank's bytes.
        start : int
            Their position among all bytes.
        joined : ndarray of uint8
            As long as the bytes of all ranks together.
        synchronize : callable
            Returns when every rank has called it.
        """
        if not self._buffers or len(self._buffers[0]) < len(joined):
            synchronize()
            size = max(_MIN_BYTES, 2 * len(joined))
            self._buffers = [self._allocate(size), self._allocate(size)]
        buffer = self._buffers[0]
        self._buffers.reverse()
        buffer[start : start + len(own)] = own
        synchronize()
        joined[:] = buffer[: len(joined)]
