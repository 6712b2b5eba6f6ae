"""What is shown while a call runs: what its ranks print, and how far they are."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from matexapps.cluster.output.display import in_notebook
from matexapps.cluster.output.grouped import GroupedOutput
from matexapps.cluster.output.lines import LineOutput
from matexapps.cluster.ranks.engines import Engines
from matexapps.cluster.view.merged_progress import MergedProgress
from matexapps.cluster.view.progress_view import HEADLESS, make_view

_MEMORY_INTERVAL_S = 1.0


class LiveDisplay:
    """Output and progress of one call.

    Parameters
    ----------
    engines : Engines
    ranks : sequence of int
        The ranks of the call.
    headings : bool
        Whether each output is preceded by the ranks it comes from.

    Attributes
    ----------
    progress : MergedProgress
    """

    def __init__(self, engines: Engines, ranks: Sequence[int], headings: bool) -> None:
        self.progress = MergedProgress()
        self._engines, self._view = engines, make_view()
        self._memory_at, self._printed = time.monotonic(), 0
        self._output: GroupedOutput | LineOutput
        # A headless run writes its log while it runs; a notebook shows less, and in order.
        if in_notebook() and not os.environ.get(HEADLESS):
            self._output = GroupedOutput(ranks, headings, str(engines.run_folder))
        else:
            self._output = LineOutput(ranks, headings)

    def refresh(self, printed: Sequence[dict[str, str]], final: bool) -> bool:
        """Show what is new, and return whether ranks have printed anything.

        Parameters
        ----------
        printed : sequence of dict
            Each rank's ``stdout`` and ``stderr`` so far.
        final : bool
            Whether nothing will come after it.
        """
        size = sum(len(streams["stdout"]) + len(streams["stderr"]) for streams in printed)
        is_new, self._printed = size > self._printed, max(size, self._printed)
        self._output.show(printed, final)
        self._view.show(self.progress)
        if time.monotonic() - self._memory_at > _MEMORY_INTERVAL_S:
            # Read from time to time, so that a rank's last memory is known if it dies.
            self._memory_at = time.monotonic()
            self._engines.memory()
        return is_new

    def close(self, outcome: str) -> None:
        """Show the last state of the progress, and the outcome."""
        self._view.close(self.progress, outcome)
