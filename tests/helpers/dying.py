"""A callback and a layer that end their own rank."""

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
        Its number when the fit begins.
    epoch, step : int
        How many epochs, and steps of the next epoch, are complete then.
    marker : Path, optional
        A file that is written before, and prevents it from happening again.
    by : signal.Signals
    """

    def __init__(
        self,
        rank: int,
        epoch: int,
        step: int,
        marker: Path | None = None,
        by: signal.Signals = signal.SIGKILL,
    ) -> None:
        self._rank, self._progress, self._marker, self._signal = rank, (epoch, step), marker, by
        self._first_rank = -1

    def on_fit_start(self, trainer: Any) -> None:
        self._first_rank = trainer.comm.rank

    def on_step_end(self, trainer: Any) -> None:
        progress = trainer.position.epoch, trainer.position.step
        done = self._marker is not None and self._marker.exists()
        if self._first_rank == self._rank and progress == self._progress and not done:
            if self._marker is not None:
                self._marker.touch()
            os.kill(os.getpid(), self._signal)


class DiesWhenSent(nn.Linear):
    """A layer that ends rank 0 when it is pickled there."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        if os.environ.get("OMPI_COMM_WORLD_RANK") == "0":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__reduce_ex__(protocol)


class DiesInStep(mx.Callback):
    """Ends the process of rank 1 of three after the forward pass of a step.

    The other ranks have then drawn random numbers and moved running statistics, but taken no step.

    Parameters
    ----------
    epoch, step : int
        How many epochs, and steps of the next epoch, are complete then.
    """

    def __init__(self, epoch: int, step: int) -> None:
        self._progress = epoch, step

    def on_batch_start(self, trainer: Any, batch: Any) -> None:
        progress = trainer.position.epoch, trainer.position.step
        if progress == self._progress and (trainer.comm.rank, trainer.comm.world_size) == (1, 3):
            trainer.model.register_forward_hook(lambda *_: os.kill(os.getpid(), signal.SIGKILL))
