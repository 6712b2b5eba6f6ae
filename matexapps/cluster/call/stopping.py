"""Stopping ranks in steps: interrupt them, show where they are, end them."""

from __future__ import annotations

import time

from matexapps.cluster.call.hang import format_stacks
from matexapps.cluster.output.display import Folded
from matexapps.cluster.output.rank_names import rank_names
from matexapps.cluster.ranks.engines import Engines

END_AFTER_S = 5.0
_INTERRUPT_AT_S = (0.0, 0.4, 0.7)
_SHOW_AFTER_S = 1.5
_INTERRUPT_AGAIN_AT_S = (1.5, 2.0, 3.0, 4.0)
_STACKS_TIMEOUT_S = 0.5


class StopSequence:
    """The steps by which busy ranks are stopped.

    Ranks are interrupted several times, since Python loses an interrupt that arrives while an
    object is being destroyed. The stacks of ranks that have not stopped after 1.5 s are shown.
    After 5 s all ranks' processes are ended.

    Parameters
    ----------
    engines : Engines
    grace_s : float
        How long to wait before the first step, in seconds.
    """

    def __init__(self, engines: Engines, grace_s: float) -> None:
        self._engines = engines
        self._start = time.monotonic()
        self._steps = [
            *((grace_s + at, self._engines.interrupt) for at in _INTERRUPT_AT_S),
            (_SHOW_AFTER_S, self._show),
            *((at, self._engines.interrupt) for at in _INTERRUPT_AGAIN_AT_S),
            (END_AFTER_S, self._end),
        ]

    def advance(self, busy: list[int]) -> bool:
        """Take the steps that are due; return False once the ranks have been ended."""
        while self._steps and time.monotonic() - self._start >= self._steps[0][0]:
            self._steps.pop(0)[1](busy)
        return bool(self._steps)

    def _show(self, busy: list[int]) -> None:
        stacks = self._engines.stacks(busy, _STACKS_TIMEOUT_S)
        Folded(unfolded=True).show(
            f"{rank_names(busy)} did not stop yet; all ranks are ended in "
            f"{END_AFTER_S - _SHOW_AFTER_S:.0f} s, or at once by another Stop. Now at:",
            format_stacks(stacks, busy),
        )

    def _end(self, busy: list[int]) -> None:
        # They are stuck outside of Python, where no interrupt arrives.
        self._engines.stop()
