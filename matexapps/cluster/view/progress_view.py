"""How progress is shown: a panel in a notebook, plain lines anywhere else."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Protocol

from matexapps.cluster.output.display import MimeBundle, Slots, in_notebook
from matexapps.cluster.view.curve_picture import CurvePicture
from matexapps.cluster.view.merged_progress import MergedProgress, format_duration
from matexapps.cluster.view.panel import outcome_html, panel_html
from matexapps.cluster.view.stop_button import StopButton

HEADLESS = "MATEXAPPS_HEADLESS"
_FIRST_LINE_S = 1.0
_LINE_GROWTH = 1.2
_REDRAW_INTERVAL_S = 0.2
_BUTTON_AFTER_S = 0.5


class ProgressView(Protocol):
    """Shows progress while work runs."""

    def show(self, progress: MergedProgress) -> None:
        """Show the present state, at most as often as is useful."""

    def close(self, progress: MergedProgress, outcome: str) -> None:
        """Show the last state and ``outcome``: ``"done"``, ``"failed"`` or ``"stopped"``."""


class LineView:
    """Plain lines at growing intervals, so that a long run does not fill its log."""

    def __init__(self, write: Callable[[str], object] = print) -> None:
        self._write = write
        self._start = time.monotonic()
        self._next_s = _FIRST_LINE_S
        self._n_notices = 0
        self._written = ""

    def show(self, progress: MergedProgress) -> None:
        """Write a line if one is due and says something new, and new notices at once."""
        self._write_notices(progress)
        elapsed = time.monotonic() - self._start
        if not progress.started or elapsed < self._next_s:
            return
        text = progress.text()
        if text != self._written:
            self._written = text
            self._write(text)
            self._next_s = max(elapsed + _FIRST_LINE_S, elapsed * _LINE_GROWTH)

    def close(self, progress: MergedProgress, outcome: str) -> None:
        """Write the last line."""
        self._write_notices(progress)
        if progress.started:
            elapsed = format_duration(time.monotonic() - self._start)
            self._write(progress.text(f"{outcome} after {elapsed}"))

    def _write_notices(self, progress: MergedProgress) -> None:
        for notice in progress.notices[self._n_notices :]:
            self._write(notice)
        self._n_notices = len(progress.notices)


class NotebookView:
    """A stop button, a bar, a row for each rank and growing curves, redrawn in place.

    A saved notebook keeps their last state.
    """

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._shown_at = 0.0
        self._slots = Slots()
        self._picture = CurvePicture()
        self._button: StopButton | None = None

    def show(self, progress: MergedProgress) -> None:
        """Redraw what has changed."""
        now = time.monotonic()
        if now - self._shown_at < _REDRAW_INTERVAL_S:
            return
        self._shown_at = now
        if self._button is None and now - self._start >= _BUTTON_AFTER_S:
            self._button = StopButton()
            self._button.offer()
        button = self._button.bundle if self._button is not None else None
        self._draw(button, progress, "", self._picture.newest(progress.curves))

    def close(self, progress: MergedProgress, outcome: str) -> None:
        """Remove the button and redraw the rest a last time."""
        if self._button is not None:
            self._button.close()
        words = f"{outcome} after {format_duration(time.monotonic() - self._start)}"
        self._draw(None, progress, words, self._picture.last(progress.curves))

    def _draw(
        self,
        button: MimeBundle | None,
        progress: MergedProgress,
        outcome: str,
        picture: MimeBundle | None,
    ) -> None:
        panel: MimeBundle | None = None
        if progress.started:
            text = "\n".join([progress.text(outcome), *progress.notices])
            panel = {"text/html": panel_html(progress, outcome), "text/plain": text}, {}
        elif outcome and self._slots.used:
            # The work reported nothing, and without this its button would leave a gap.
            panel = {"text/html": outcome_html(outcome), "text/plain": outcome}, {}
        self._slots.show([bundle for bundle in (button, panel, picture) if bundle is not None])


def make_view() -> ProgressView:
    """Return a panel in a notebook that is being watched, plain lines anywhere else."""
    return NotebookView() if in_notebook() and not os.environ.get(HEADLESS) else LineView()
