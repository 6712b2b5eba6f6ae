"""Progress in a notebook: a stop button, a bar, a row for each rank, and growing curves."""

from __future__ import annotations

import time

from matexapps.cluster.view.curve_picture import CurvePicture
from matexapps.cluster.view.merged_progress import MergedProgress, duration
from matexapps.cluster.view.panel import outcome_html, panel_html
from matexapps.cluster.view.slots import Bundle, Slots
from matexapps.cluster.view.stop_button import StopButton

_EVERY_S = 0.2
_BUTTON_AFTER_S = 0.5


class NotebookView:
    """A panel in the cell's output, redrawn in place; a saved notebook keeps its last state."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._shown_at = 0.0
        self._slots = Slots()
        self._picture = CurvePicture()
        self._button: StopButton | None = None

    def show(self, progress: MergedProgress) -> None:
        """Redraw what has changed."""
        now = time.monotonic()
        if now - self._shown_at < _EVERY_S:
            return
        self._shown_at = now
        if self._button is None and now - self._began >= _BUTTON_AFTER_S:
            self._button = StopButton()
            self._button.offer()
        button = self._button.bundle if self._button is not None else None
        self._draw(button, progress, "", self._picture.newest(progress.curves))

    def close(self, progress: MergedProgress, outcome: str) -> None:
        """Take the button away and redraw the rest a last time."""
        if self._button is not None:
            self._button.close()
        words = f"{outcome} after {duration(time.monotonic() - self._began)}"
        self._draw(None, progress, words, self._picture.last(progress.curves))

    def _draw(
        self, button: Bundle | None, progress: MergedProgress, outcome: str, picture: Bundle | None
    ) -> None:
        panel: Bundle | None = None
        if progress.started:
            text = "\n".join([progress.text(outcome), *progress.notices])
            panel = {"text/html": panel_html(progress, outcome), "text/plain": text}, {}
        elif outcome and self._slots.used:
            # Work that reported nothing: its button would leave a gap.
            panel = {"text/html": outcome_html(outcome), "text/plain": outcome}, {}
        self._slots.show([bundle for bundle in (button, panel, picture) if bundle is not None])
