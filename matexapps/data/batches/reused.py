"""Arrays that are used again: the first touch of fresh memory costs as much as reading a file."""

from __future__ import annotations

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
