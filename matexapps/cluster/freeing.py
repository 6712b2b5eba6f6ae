"""Stopping ranks in steps: softly, then telling where they are, then by ending them."""

from __future__ import annotations

import time

from matexapps.cluster.engines import Engines
from matexapps.cluster.hang import report
from matexapps.cluster.notebook import Folded
from matexapps.cluster.rank_names import rank_names

ENDED_AFTER_S = 5.0
_SOFT_S = 1.5
_STACKS_TIMEOUT_S = 0.5


class Freeing:
    """The steps by which ranks are stopped that still work.

    First they are interrupted. Those that have not stopped after 1.5 s are shown with their stacks
    and interrupted once more. After 5 s all ranks' processes are ended.

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
            (grace_s, self._engines.interrupt),
            (_SOFT_S, self._show_and_interrupt),
            (ENDED_AFTER_S, self._end),
        ]

    def go_on(self, unanswered: list[int]) -> bool:
        """Take the next step if it is time for it; False once the ranks have been ended."""
        while self._steps and time.monotonic() - self._began >= self._steps[0][0]:
            self._steps.pop(0)[1](unanswered)
        return bool(self._steps)

    def _show_and_interrupt(self, unanswered: list[int]) -> None:
        stacks = self._engines.stacks(unanswered, _STACKS_TIMEOUT_S)
        Folded(unfolded=True).show(
            f"{rank_names(unanswered)} still to be stopped; ended in {ENDED_AFTER_S - _SOFT_S:.0f} "
            "s, or at once by another Stop. There it is:",
            report(stacks, unanswered),
        )
        self._engines.interrupt(unanswered)

    def _end(self, unanswered: list[int]) -> None:
        # Stuck where Python is never asked.
        self._engines.stop()
