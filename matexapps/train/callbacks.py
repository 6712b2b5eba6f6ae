"""Callbacks: the best epoch's weights, early stopping, checkpoints."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

import torch

from matexapps.errors import TrainingError, did_you_mean
from matexapps.train.state.checkpoint import finish_checkpoints, save_checkpoint
from matexapps.train.training import Callback, Training


class KeepBest(Callback):
    """Keep the weights of the best epoch, and restore them at the end of the fit.

    Parameters
    ----------
    metric : str
        A column of the history.
    mode : {"min", "max"}
        Whether lower or higher is better.

    Attributes
    ----------
    best_epoch : int
        The best epoch so far, from 1; 0 before the first.
    """

    def __init__(
        self, metric: str = "validation_loss", mode: Literal["min", "max"] = "min"
    ) -> None:
        if mode not in ("min", "max"):
            raise TrainingError(f"mode must be 'min' or 'max', got {mode!r}")
        self.metric, self.mode = metric, mode
        self.best = math.inf
        self.best_epoch = 0
        self._weights: dict[str, torch.Tensor] = {}

    def on_epoch_end(self, trainer: Training, row: dict[str, Any]) -> None:
        if self.metric not in row:
            raise TrainingError(
                f"{type(self).__name__} watches {self.metric!r}, which the history does not have"
                f"{did_you_mean(self.metric, row)}; it has {', '.join(row)}"
            )
        value = row[self.metric] if self.mode == "min" else -row[self.metric]
        if value < self.best:
            self.best, self.best_epoch = value, row["epoch"]
            self._keep(trainer)

    def on_fit_end(self, trainer: Training) -> None:
        if self._weights:
            trainer.model.load_state_dict(self._weights)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "best_epoch": self.best_epoch, "weights": self._weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best, self.best_epoch = state["best"], state["best_epoch"]
        self._weights = state["weights"]

    def _keep(self, trainer: Training) -> None:
        state = trainer.model.state_dict()
        self._weights = {name: value.detach().clone() for name, value in state.items()}


class EarlyStopping(KeepBest):
    """Stop when a value has not improved for some epochs.

    Parameters
    ----------
    metric : str
        A column of the history.
    patience : int
        Epochs without improvement after which training stops.
    mode : {"min", "max"}
        Whether lower or higher is better.
    restore_best : bool
        Restore the weights of the best epoch at the end.
    """

    def __init__(
        self,
        metric: str = "validation_loss",
        patience: int = 5,
        mode: Literal["min", "max"] = "min",
        restore_best: bool = True,
    ) -> None:
        super().__init__(metric, mode)
        self.patience, self.restore_best = patience, restore_best

    def on_epoch_end(self, trainer: Training, row: dict[str, Any]) -> None:
        super().on_epoch_end(trainer, row)
        if row["epoch"] - self.best_epoch >= self.patience:
            trainer.should_stop = True

    def _keep(self, trainer: Training) -> None:
        if self.restore_best:
            super()._keep(trainer)


class Checkpointing(Callback):
    """Write a checkpoint every so often, and keep the newest few.

    Training continues while rank 0 writes. An error in writing is raised at the next checkpoint, or
    at the end of ``fit``, which waits for the last one.

    Parameters
    ----------
    folder : path
        Where checkpoints go, each in a folder of its own.
    every_epochs : int
        A checkpoint after every so many epochs.
    every_steps : int or None
        Also one after every so many steps within an epoch.
    keep : int
        How many of the newest to keep.
    resume : bool
        Let a trainer that has not trained yet continue from the newest checkpoint in ``folder``, if
        there is one. So the same lines begin a training and, run again after a crash, continue it.
    """

    def __init__(
        self,
        folder: str | Path,
        every_epochs: int = 1,
        every_steps: int | None = None,
        keep: int = 3,
        *,
        resume: bool = False,
    ) -> None:
        for name, value in (("every_epochs", every_epochs), ("keep", keep)):
            if value < 1:
                raise TrainingError(f"Checkpointing needs {name} of at least 1, got {value}")
        if every_steps is not None and every_steps < 1:
            raise TrainingError(f"Checkpointing needs every_steps of at least 1, got {every_steps}")
        self.folder = Path(folder)
        self.every_epochs, self.every_steps, self.keep = every_epochs, every_steps, keep
        self.resume = resume

    def on_step_end(self, trainer: Training) -> None:
        # An epoch's last step is left to on_epoch_end, whose checkpoint has the epoch's history.
        step = trainer.position.step
        if self.every_steps and step % self.every_steps == 0 and step < trainer.steps_per_epoch:
            self._save(trainer)

    def on_epoch_end(self, trainer: Training, row: dict[str, Any]) -> None:
        if row["epoch"] % self.every_epochs == 0:
            self._save(trainer)

    def on_fit_end(self, trainer: Training) -> None:
        trainer.comm.on_root(lambda: finish_checkpoints(self.folder))

    def _save(self, trainer: Training) -> None:
        snapshot = trainer.snapshot()
        trainer.comm.on_root(lambda: save_checkpoint(self.folder, snapshot, self.keep))
