"""What ends its own rank: a callback, and a layer."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from torch import nn

import matexapps as mx


class Dies(mx.Callback):
    """Ends the process of one rank after a step, or stops it.

    Parameters
    ----------
    rank : int
        The number it has when the fit begins.
    epoch, step : int
        How many are complete then.
    once : Path, optional
        A file that says that it is done, for work that starts again.
    by : signal.Signals
    """

    def __init__(
        self,
        rank: int,
        epoch: int,
        step: int,
        once: Path | None = None,
        by: signal.Signals = signal.SIGKILL,
    ) -> None:
        self._rank, self._place, self._once, self._signal = rank, (epoch, step), once, by
        self._born = -1

    def on_fit_start(self, trainer: Any) -> None:
        self._born = trainer.comm.rank

    def on_step_end(self, trainer: Any) -> None:
        place = trainer.position.epoch, trainer.position.step
        done = self._once is not None and self._once.exists()
        if self._born == self._rank and place == self._place and not done:
            if self._once is not None:
                self._once.touch()
            os.kill(os.getpid(), self._signal)


class DiesWhenSent(nn.Linear):
    """A layer that ends rank 0 when that is to send it away."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        if os.environ.get("OMPI_COMM_WORLD_RANK") == "0":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__reduce_ex__(protocol)
