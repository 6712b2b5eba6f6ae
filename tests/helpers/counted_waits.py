"""Counts how often this rank waits for others, and can end it in the middle of a wait."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from matexapps.comm.waiting import Waiting


class CountedWaits:
    """Counts exchanges with other ranks from now on.

    Parameters
    ----------
    dies : callable
        Takes the number of the exchange, from 1; whether this rank ends once it has begun it.
    by : signal.Signals

    Attributes
    ----------
    count : int
        Exchanges so far.
    """

    def __init__(self, dies: Callable[[int], bool], by: signal.Signals = signal.SIGKILL) -> None:
        self.count = 0
        run_all = Waiting.run_all

        def counted(waiting: Waiting, what: str, *operations: Any) -> None:
            self.count += 1
            if dies(self.count):
                operations = (*operations, lambda: os.kill(os.getpid(), by))
            run_all(waiting, what, *operations)

        Waiting.run_all = counted  # type: ignore[method-assign]
