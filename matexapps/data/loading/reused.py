"""Arrays that are used again: the first touch of fresh memory costs as much as reading a file."""

from __future__ import annotations

import weakref
from collections import defaultdict, deque
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_Given = tuple["weakref.ref[NDArray[Any]]", NDArray[np.uint8]]


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
        self._given: defaultdict[int, deque[_Given]] = defaultdict(deque)

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return an array of any values. No views but a tensor's may be made of it."""
        size = prod(shape) * dtype.itemsize
        given, memory = self._given[size], None
        # All that came back since; one is used, the memory of the others is set free.
        while given and given[0][0]() is None:
            memory = given.popleft()[1]
        if memory is None:
            memory = np.empty(size, np.uint8)
        # numpy gives a view of a view the memory itself as its base, not the view.
        array = memory.view(dtype).reshape(shape)
        given.append((weakref.ref(array), memory))
        return array
