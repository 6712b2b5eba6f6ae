"""Arrays that reuse memory: the first touch of fresh memory costs as much as reading a file."""

from __future__ import annotations

import weakref
from collections import defaultdict, deque
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_Given = tuple["weakref.ref[NDArray[Any]]", NDArray[np.uint8]]


class ReusedArrays:
    """Gives arrays that share the memory of earlier ones with the same name."""

    def __init__(self) -> None:
        self._held: dict[str, NDArray[Any]] = {}

    def empty(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an uninitialized array; only its length may differ from the last of its name."""
        held = self._held.get(name)
        if held is None or len(held) < shape[0]:
            held = self._held[name] = np.empty(shape, dtype)
        return held[: shape[0]]


class ReturnedArrays:
    """Gives arrays and reuses their memory when nobody holds them any more."""

    def __init__(self) -> None:
        self._given: defaultdict[int, deque[_Given]] = defaultdict(deque)

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return an uninitialized array. Only a tensor may view it, no other array."""
        size = prod(shape) * dtype.itemsize
        given, memory = self._given[size], None
        # Of all that have come back since, one is reused and the others are freed.
        while given and given[0][0]() is None:
            memory = given.popleft()[1]
        if memory is None:
            memory = np.empty(size, np.uint8)
        # numpy gives a view of a view the memory itself as its base, not the view.
        array = memory.view(dtype).reshape(shape)
        given.append((weakref.ref(array), memory))
        return array
