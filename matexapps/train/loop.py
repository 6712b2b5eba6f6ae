"""The training loop: epochs and steps, and what follows each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from matexapps.data.dataset import DataSet
from matexapps.data.loading.batch import Batch
from matexapps.train.evaluation import evaluate
from matexapps.train.gradients import GradientAverage, global_gradient
from matexapps.train.hooks import call_hook, finish_hook, overrides
from matexapps.train.monitor.error_context import ErrorContext, flush_losses
from matexapps.train.monitor.throughput import Throughput
from matexapps.train.state.position import Position
from matexapps.train.state.replicas import check_replicas, seed_rank
from matexapps.train.state.resume import random_state

if TYPE_CHECKING:
    from matexapps.train.trainer import Trainer


class TrainingLoop:
    """What is left of a fit's epochs, from where its trainer stands. Collective.

    Parameters
    ----------
    trainer : Trainer
        Its network, optimizer, position and history go on with each step.
    data : DataSet
        Loaded.
    epochs : int
        Epochs in all.
    average : GradientAverage or None
        How the ranks agree on a gradient; None on one rank.
    """

    def __init__(
        self, trainer: Trainer, data: DataSet, epochs: int, average: GradientAverage | None
    ) -> None:
        self._trainer, self._data, self._epochs, self._average = trainer, data, epochs, average
        self._loader = data.train.open_loader(
            trainer.batch_size, trainer.comm, trainer.rank_device.device, trainer.seed
        )
        self._pace = Throughput(trainer.comm, epochs, trainer.steps_per_epoch, len(data.train))

    def run(self) -> None:
        """Train until the epochs are complete, or the trainer is told to stop."""
        trainer = self._trainer
        finish_hook(trainer)
        trainer.model.train()
        while trainer.position.epoch < self._epochs and not trainer.should_stop:
            self._epoch()
        if trainer.position.hook != "on_fit_end":
            call_hook(trainer, "on_fit_end")

    def _epoch(self) -> None:
        trainer, pace = self._trainer, self._pace
        position, epoch = trainer.position, trainer.position.epoch
        if position.step == 0 and position.hook != "on_epoch_start":
            seed_rank(trainer.seed, epoch, trainer.comm.rank)
            call_hook(trainer, "on_epoch_start")
        pace.start_epoch(epoch, position.step * trainer.batch_size, position.seconds)
        doing = f"in training, epoch {epoch + 1}"
        place = ErrorContext(doing, trainer.steps_per_epoch, position.step)
        try:
            with place:
                self._steps(place.follow(self._loader.shuffled(epoch, position.step)))
        finally:
            position.seconds = pace.epoch_seconds
        flush_losses(position, self._data.train, trainer.batch_size, trainer.seed)
        self._end_epoch()

    def _steps(self, batches: Iterator[Batch]) -> None:
        trainer, pace, position = self._trainer, self._pace, self._trainer.position
        hooked = any(overrides(c, "on_step_end") for c in trainer.callbacks)
        shown = [c for c in trainer.callbacks if overrides(c, "on_batch_start")]
        for batch in batches:
            for callback in shown:
                callback.on_batch_start(trainer, batch)
            loss, weight = self._step(batch)
            position.add_step(loss, weight)
            trainer.random_before_step = None
            if trainer.scheduler is not None and trainer.schedule_every == "batch":
                trainer.scheduler.step()
            if pace.due(batch.global_rows):
                pace.report(position.step, float(loss))
            if hooked:
                finish_hook(trainer)

    def _step(self, batch: Batch) -> tuple[torch.Tensor | float, torch.Tensor | float]:
        """Take one step; return the global batch's mean loss and its weight."""
        trainer, precision = self._trainer, self._trainer.precision
        if trainer.comm.fault_tolerant:
            trainer.random_before_step = random_state()
        trainer.optimizer.zero_grad(set_to_none=True)
        loss, total = global_gradient(batch, self._loss, precision.backward, self._average)
        if trainer.clip_norm is not None:
            precision.unscale(trainer.optimizer)
            nn.utils.clip_grad_norm_(trainer.parameters, trainer.clip_norm)
        precision.step(trainer.optimizer)
        return loss, total

    def _loss(self, batch: Batch) -> tuple[torch.Tensor, float]:
        trainer = self._trainer
        prediction = trainer.precision.forward(trainer.model, batch.features)
        return trainer.loss(prediction, batch.label, batch.weight, batch.total_weight)

    def _end_epoch(self) -> None:
        trainer, position, data = self._trainer, self._trainer.position, self._data
        check_replicas(trainer.parameters, trainer.comm, position.epoch + 1)
        row: dict[str, Any] = {
            "epoch": position.epoch + 1,
            "loss": position.mean_loss,
        }
        rows_per_s = len(data.train) / max(position.seconds, 1e-9)
        rate, seconds = trainer.comm.broadcast_object((rows_per_s, position.seconds))
        if len(data.validation):
            results = self._validate(row["epoch"])
            row["validation_loss"] = results.pop("loss")
            row.update(results)
        row["learning_rate"] = trainer.optimizer.param_groups[0]["lr"]
        row["rows_per_s"], row["seconds"] = rate, seconds
        trainer.history.rows.append(row)
        if trainer.scheduler is not None and trainer.schedule_every == "epoch":
            if isinstance(trainer.scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
                trainer.scheduler.step(row.get("validation_loss", row["loss"]))
            else:
                trainer.scheduler.step()
        trainer.position = Position(epoch=position.epoch + 1)
        self._pace.report_epoch(row)
        finish_hook(trainer)

    def _validate(self, epoch: int) -> dict[str, float]:
        trainer = self._trainer
        return evaluate(
            trainer.model,
            self._data.validation,
            trainer.loss,
            trainer.metrics,
            trainer.precision,
            trainer.comm,
            f"in validation, epoch {epoch}",
        )
