"""How progress is shown: a panel in a notebook, plain lines anywhere else."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Protocol

from matexapps.cluster.view.merged_progress import MergedProgress, duration
from matexapps.cluster.view.notebook_view import NotebookView

HEADLESS = "MATEXAPPS_HEADLESS"
_FIRST_LINE_S = 1.0
_LINE_GROWTH = 1.2


class ProgressView(Protocol):
    """Shows progress while work runs."""

    def show(self, progress: MergedProgress) -> None:
        """Show the present state, as often as is worth while."""

    def close(self, progress: MergedProgress, outcome: str) -> None:
        """Show the last state and ``outcome``: ``"done"``, ``"failed"`` or ``"stopped"``."""


class LineView:
    """Plain lines, ever further apart, so that a long run does not fill its log."""

    def __init__(self, write: Callable[[str], object] = print) -> None:
        self._write = write
        self._began = time.monotonic()
        self._next_s = _FIRST_LINE_S
        self._notices = 0

    def show(self, progress: MergedProgress) -> None:
        """Write a line if it is time for one, and what befell the ranks at once."""
        self._write_notices(progress)
        elapsed = time.monotonic() - self._began
        if progress.started and elapsed >= self._next_s:
            self._write(progress.text())
            self._next_s = max(elapsed + _FIRST_LINE_S, elapsed * _LINE_GROWTH)

    def close(self, progress: MergedProgress, outcome: str) -> None:
        """Write the last line."""
        self._write_notices(progress)
        if progress.started:
            elapsed = duration(time.monotonic() - self._began)
            self._write(progress.text(f"{outcome} after {elapsed}"))

    def _write_notices(self, progress: MergedProgress) -> None:
        for notice in progress.notices[self._notices :]:
            self._write(notice)
        self._notices = len(progress.notices)


def view_for_here() -> ProgressView:
    """Return the panel in a notebook that somebody looks at, plain lines anywhere else."""
    from IPython import get_ipython

    shell = get_ipython()
    in_kernel = shell is not None and getattr(shell, "kernel", None) is not None
    return NotebookView() if in_kernel and not os.environ.get(HEADLESS) else LineView()
