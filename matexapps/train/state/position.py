"""Epoch and step of a training, and the losses of the epoch so far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from matexapps.errors import TrainingError

# In the order in which they are called where epoch and step are the same.
HOOKS = ("on_epoch_end", "on_fit_end", "on_fit_start", "on_epoch_start", "on_step_end")


@dataclass
class Position:
    """Epoch and step of a training, and the losses of the epoch so far.

    Attributes
    ----------
    epoch : int
        Completed epochs.
    step : int
        Completed steps of the current epoch.
    loss_sum, weight_sum : float
        Of the current epoch's losses up to :meth:`flush_losses`: the sum of weight times mean
        loss, and the sum of weights.
    seconds : float
        Time spent in the current epoch so far.
    hook : str
        The hook of callbacks that was reached last.
    called : int
        How many callbacks have been called at it.
    """

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    weight_sum: float = 0.0
    seconds: float = 0.0
    hook: str = "on_epoch_end"
    called: int = 0
    _losses: list[torch.Tensor | float] = field(default_factory=list, repr=False)
    _weights: list[torch.Tensor | float] = field(default_factory=list, repr=False)

    @property
    def order(self) -> tuple[int, int, int, int]:
        """Of two positions in one training, the later one has the larger order."""
        return self.epoch, self.step, HOOKS.index(self.hook), self.called

    def reach(self, hook: str) -> None:
        """Note that a hook of callbacks is reached."""
        self.hook, self.called = hook, 0

    @property
    def mean_loss(self) -> float:
        """Weighted mean of the epoch's losses up to :meth:`flush_losses`."""
        return self.loss_sum / (self.weight_sum or 1.0)

    def add_step(self, loss: torch.Tensor | float, weight: torch.Tensor | float) -> None:
        """Count one more step, with the mean loss and the weight of its global batch."""
        self._losses.append(loss)
        self._weights.append(weight)
        self.step += 1
        self.reach("on_step_end")

    @property
    def not_finite(self) -> int | None:
        """The first step, from 1, since :meth:`flush_losses` whose loss is not finite."""
        for k, loss in enumerate(self._losses):
            if not math.isfinite(loss):
                return self.step - len(self._losses) + k + 1
        return None

    def flush_losses(self) -> None:
        """Add the latest steps to the sums, all at once: one transfer from a GPU.

        Raises
        ------
        TrainingError
            If a loss is not finite.
        """
        if not self._losses:
            return
        means, totals = _as_array(self._losses), _as_array(self._weights)
        finite = np.isfinite(means)
        if not finite.all():
            raise TrainingError(
                f"the loss became {means[~finite][0]} at epoch {self.epoch + 1}, "
                f"step {self.not_finite}; lower the learning rate, set clip_norm, or look for "
                "extreme values in the features"
            )
        self.loss_sum += float(means @ totals)
        self.weight_sum += float(totals.sum())
        self._losses.clear()
        self._weights.clear()

    def plain(self) -> dict[str, float]:
        """Return what a checkpoint keeps."""
        names = ("epoch", "step", "loss_sum", "weight_sum", "seconds")
        return {name: getattr(self, name) for name in names}


def _as_array(values: Sequence[torch.Tensor | float]) -> NDArray[np.float64]:
    tensors = [torch.as_tensor(value, dtype=torch.float64) for value in values]
    return torch.stack(tensors).cpu().numpy()
