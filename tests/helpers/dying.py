"""A callback that ends its rank."""

from __future__ import annotations

import os
import signal
from typing import Any

import matexapps as mx


class Dies(mx.Callback):
    """Ends the process of one rank after a step.

    Parameters
    ----------
    rank : int
        The number it has when the fit begins.
    epoch, step : int
        How many are complete then.
    """

    def __init__(self, rank: int, epoch: int, step: int) -> None:
        self._rank, self._place = rank, (epoch, step)
        self._born = -1

    def on_fit_start(self, trainer: Any) -> None:
        self._born = trainer.comm.rank

    def on_step_end(self, trainer: Any) -> None:
        place = trainer.position.epoch, trainer.position.step
        if self._born == self._rank and place == self._place:
            os.kill(os.getpid(), signal.SIGKILL)
