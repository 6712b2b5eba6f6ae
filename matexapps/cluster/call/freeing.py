"""Stopping ranks in steps: softly, then telling where they are, then by ending them."""

from __future__ import annotations

import time

from matexapps.cluster.call.hang import report
from matexapps.cluster.output.notebook import Folded
from matexapps.cluster.output.rank_names import rank_names
from matexapps.cluster.ranks.engines import Engines

ENDED_AFTER_S = 5.0
_INTERRUPTED_AT_S = (0.0, 0.4, 0.7)
_SHOWN_AFTER_S = 1.5
_INTERRUPTED_LATER_AT_S = (1.5, 2.0, 3.0, 4.0)
_STACKS_TIMEOUT_S = 0.5


class Freeing:
    """The steps by which ranks are stopped that still work.

    First they are interrupted, again after 0.4 s and from then on: Python loses an interrupt that
    comes while it throws an object away. Those that have not stopped after 1.5 s
    are shown with their stacks. After 5 s all ranks' processes are ended.

    Parameters
    ----------
    engines : Engines
    grace_s : float
        How long to wait before the first step, in seconds.
    """

    def __init__(self, engines: Engines, grace_s: float) -> None:
        self._engines = engines
        self._began = time.monotonic()
        self._steps = [
            *((grace_s + again, self._engines.interrupt) for again in _INTERRUPTED_AT_S),
            (_SHOWN_AFTER_S, self._show),
            *((again, self._engines.interrupt) for again in _INTERRUPTED_LATER_AT_S),
            (ENDED_AFTER_S, self._end),
        ]

    def go_on(self, unanswered: list[int]) -> bool:
        """Take the next step if it is time for it; False once the ranks have been ended."""
        while self._steps and time.monotonic() - self._began >= self._steps[0][0]:
            self._steps.pop(0)[1](unanswered)
        return bool(self._steps)

    def _show(self, unanswered: list[int]) -> None:
        stacks = self._engines.stacks(unanswered, _STACKS_TIMEOUT_S)
        Folded(unfolded=True).show(
            f"{rank_names(unanswered)} still to be stopped; ended in "
            f"{ENDED_AFTER_S - _SHOWN_AFTER_S:.0f} s, or at once by another Stop. There it is:",
            report(stacks, unanswered),
        )

    def _end(self, unanswered: list[int]) -> None:
        # Stuck where Python is never asked.
        self._engines.stop()
