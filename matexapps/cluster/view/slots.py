"""Outputs of a cell that change in place, one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Bundle = tuple[dict[str, Any], dict[str, Any]]
"""What is shown, by MIME type, and its metadata."""

_EMPTY: Bundle = ({"text/plain": ""}, {})


class Slots:
    """A list of outputs that grows and shrinks.

    An output cannot be removed from a cell, so places that are no longer needed go empty; they are
    the lowest ones, where nobody sees them.
    """

    def __init__(self) -> None:
        self._handles: list[Any] = []
        self._shown: list[Bundle] = []

    @property
    def used(self) -> bool:
        """Whether anything has been shown."""
        return bool(self._handles)

    def show(self, bundles: Sequence[Bundle]) -> None:
        """Show ``bundles`` from top to bottom, sending only what has changed."""
        from IPython.display import display

        empty = len(self._handles) - len(bundles)
        for place, bundle in enumerate([*bundles, *[_EMPTY] * empty]):
            data, metadata = bundle
            if place == len(self._handles):
                handle = display(data, metadata=metadata, raw=True, display_id=True)
                self._handles.append(handle)
                self._shown.append(bundle)
            elif bundle != self._shown[place]:
                self._handles[place].update(data, metadata=metadata, raw=True)
                self._shown[place] = bundle
