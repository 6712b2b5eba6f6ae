"""A training under way, and the hooks that it calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import torch
from torch import nn

from matexapps.comm.communicator import Communicator
from matexapps.data.loading.batch import Batch
from matexapps.devices import RankDevice
from matexapps.history import History
from matexapps.sharding.snapshot import RandomState
from matexapps.train.losses import RowLoss
from matexapps.train.metrics import Metric
from matexapps.train.optimization import Precision
from matexapps.train.state.position import Position


@dataclass
class BeforeStep:
    """What a step changes before it is complete, as it was before the step.

    Attributes
    ----------
    random : dict of Tensor
        States of the random number generators.
    buffers : dict of Tensor
        Those of the network that its forward pass changes, by name.
    """

    random: RandomState
    buffers: dict[str, torch.Tensor] = field(default_factory=dict)


class Training(Protocol):
    """A training under way, as a :class:`~matexapps.train.trainer.Trainer` is.

    Attributes
    ----------
    model, optimizer, scheduler, loss, metrics, precision
        What is trained, and by what; ``scheduler`` is None where there is none.
    parameters : list of nn.Parameter
        The trainable parameters of the model.
    comm : Communicator
        The ranks that train.
    rank_device : RankDevice
        Where this rank computes.
    position : Position
        Epoch and step.
    history : History
        The completed epochs.
    batch_size, seed, train_digest, steps_per_epoch
        What the order of rows follows from.
    clip_norm, schedule_every, recovery
        See :class:`~matexapps.train.trainer.Trainer`.
    callbacks
        What is hooked in.
    should_stop : bool
        Set it to end training after the current epoch.
    before_step : BeforeStep or None
        What the step under way changes, as it was before; None between steps.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    scheduler: Any
    loss: RowLoss
    metrics: list[Metric]
    precision: Precision
    parameters: list[nn.Parameter]
    comm: Communicator
    rank_device: RankDevice
    position: Position
    history: History
    batch_size: int
    seed: int
    steps_per_epoch: int
    clip_norm: float | None
    schedule_every: Literal["epoch", "batch"]
    recovery: str
    should_stop: bool
    before_step: BeforeStep | None

    @property
    def train_digest(self) -> str:
        """Fingerprint of the training rows."""

    @property
    def callbacks(self) -> Sequence[Callback]:
        """What is hooked in."""

    def snapshot(self) -> dict[str, Any]:
        """Return everything that a checkpoint keeps."""


class Callback:
    """Hooks that do nothing; override those you need. Every rank calls them.

    Random numbers that a hook draws from torch's generator are the same on every rank, and so must
    be how many it draws.
    """

    def on_fit_start(self, trainer: Training) -> None:
        """Called when the data are ready, before the first step."""

    def on_epoch_start(self, trainer: Training) -> None:
        """Called before the first step of an epoch."""

    def on_batch_start(self, trainer: Training, batch: Batch) -> None:
        """Called with this rank's part of a batch, before anything is computed from it."""

    def on_step_end(self, trainer: Training) -> None:
        """Called after the optimizer's step."""

    def on_epoch_end(self, trainer: Training, row: dict[str, Any]) -> None:
        """Called with the epoch's row of the history; may set ``trainer.should_stop``."""

    def on_fit_end(self, trainer: Training) -> None:
        """Called after the last epoch."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint must keep: plain values and tensors."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""


def overrides(callback: Callback, hook: str) -> bool:
    """Whether a callback does something at a hook."""
    return getattr(type(callback), hook) is not getattr(Callback, hook)
