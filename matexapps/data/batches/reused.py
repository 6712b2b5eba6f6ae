"""Arrays that are used again: the first touch of fresh memory costs as much as reading a file."""

from __future__ import annotations

import weakref
from collections import defaultdict
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class ReusedArrays:
    """Gives arrays that lie where those given before under their names lay."""

    def __init__(self) -> None:
        self._held: dict[str, NDArray[Any]] = {}

    def empty(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array of any values; only its length may differ from the last of its name."""
        held = self._held.get(name)
        if held is None or len(held) < shape[0]:
            held = self._held[name] = np.empty(shape, dtype)
        return held[: shape[0]]


class ReturnedArrays:
    """Gives arrays whose memory is given again once nobody holds them."""

    def __init__(self) -> None:
        self._free: defaultdict[int, list[NDArray[np.uint8]]] = defaultdict(list)

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return an array of any values. No views but a tensor's may be made of it."""
        size = prod(shape) * dtype.itemsize
        free = self._free[size]
        memory = free.pop() if free else np.empty(size, np.uint8)
        # numpy gives a view of a view the memory itself as its base, not the view.
        given = memory.view(dtype).reshape(shape)
        weakref.finalize(given, free.append, memory).atexit = False
        return given
