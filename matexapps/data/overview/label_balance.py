"""The label of a file: its classes and their rows, or its range, and its order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matexapps.data.overview.column_facts import Counts

_MOST_CLASSES = 50


@dataclass(frozen=True)
class LabelBalance:
    """Facts about a label column.

    Attributes
    ----------
    name : str
    classes : list of (value, rows)
        By value; empty if the label is a number to be predicted: some are not integers, or there
        are more than 50 different ones.
    is_sorted : bool
        Whether the rows of each class are contiguous, or numbers only rise or only fall.
    """

    name: str
    classes: Sequence[tuple[str | int | float, int]]
    is_sorted: bool


class Balance:
    """Gathers facts about a label, block by block.

    Parameters
    ----------
    name : str
        The column.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._counts = Counts()
        self._integral = True
        self._last: Any = None
        self._changes = 0
        self._rises = self._falls = False

    def add(self, label: NDArray[Any]) -> None:
        """Add the labels of the next rows."""
        if not len(label):
            return
        self._counts.add(label)
        joined = label if self._last is None else np.concatenate([[self._last], label])
        before, after = joined[:-1], joined[1:]
        self._changes += int((before != after).sum())
        if label.dtype.kind != "O":
            self._integral &= bool((label == np.floor(label)).all())
            self._rises |= bool((after > before).any())
            self._falls |= bool((after < before).any())
        self._last = label[-1]

    def facts(self) -> LabelBalance:
        """Return the facts."""
        seen: Mapping[Any, int] = self._counts.seen or {}
        has_classes = self._integral and 0 < len(seen) <= _MOST_CLASSES
        in_order = self._rises != self._falls
        if has_classes:
            in_order = len(seen) > 1 and self._changes == len(seen) - 1
        classes = sorted(seen.items()) if has_classes else []
        return LabelBalance(
            self._name, [(_plain(value), rows) for value, rows in classes], in_order
        )


def _plain(value: Any) -> str | int | float:
    """Return a class as people write it: integers without a decimal point."""
    if isinstance(value, str):
        return value
    return int(value)
