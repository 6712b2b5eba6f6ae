"""What callbacks and checkpoints may touch of a training under way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch

from matexapps.comm.communicator import Communicator
from matexapps.history import History
from matexapps.train.precision import Precision
from matexapps.train.state.position import Position

# Of each kind of generator.
RandomState = dict[str, torch.Tensor]


class Stateful(Protocol):
    """Something whose state belongs into a checkpoint."""

    def state_dict(self) -> dict[str, Any]:
        """Return plain values and tensors."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what :meth:`state_dict` gave."""


class Training(Protocol):
    """A training under way, as a :class:`~matexapps.train.trainer.Trainer` is one.

    Attributes
    ----------
    model, optimizer, scheduler, precision
        What is trained, and by what; ``scheduler`` is None where there is none.
    comm : Communicator
        The ranks that train.
    position : Position
        Epoch and step.
    history : History
        The completed epochs.
    batch_size, seed, train_digest, steps_per_epoch
        What the order of rows follows from.
    callbacks
        What is hooked in.
    should_stop : bool
        Set it to end training after the current epoch.
    random_before_step : dict or None
        State of the random number generators before the step under way; None between steps.
    """

    model: torch.nn.Module
    optimizer: torch.optim.Optimizer
    scheduler: Any
    precision: Precision
    comm: Communicator
    position: Position
    history: History
    batch_size: int
    seed: int
    steps_per_epoch: int
    should_stop: bool
    random_before_step: RandomState | None

    @property
    def train_digest(self) -> str:
        """Fingerprint of the training rows."""

    @property
    def callbacks(self) -> Sequence[Stateful]:
        """What is hooked in."""

    def snapshot(self) -> dict[str, Any]:
        """Return everything that a checkpoint keeps. Collective."""
