"""The training loop: epochs and steps, and what follows each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn

from matexapps.data.dataset import DataSet
from matexapps.data.loading.batch import Batch
from matexapps.data.part import Part
from matexapps.sharding.sharded_network import ShardedNetwork, rows_to_try, shard_network
from matexapps.sharding.snapshot import random_state
from matexapps.train.evaluation import evaluate
from matexapps.train.gradients import gather_batch, global_gradient, gradient_average
from matexapps.train.monitor.error_context import ErrorContext, flush_losses
from matexapps.train.monitor.throughput import Throughput
from matexapps.train.state.position import Position
from matexapps.train.state.replicas import check_replicas, seed_epoch
from matexapps.train.training import BeforeStep, Training, overrides

# The context of a step's errors is its batch.
_WHEN = {
    "on_fit_start": "before the first epoch",
    "on_epoch_start": "at the start of epoch {1}",
    "on_epoch_end": "at the end of epoch {0}",
    "on_fit_end": "after the last epoch",
}


class TrainingLoop:
    """The epochs that a fit still has to do, from where its trainer stands. Collective.

    Parameters
    ----------
    trainer : Training
        Its network, optimizer, position and history advance with each step.
    data : DataSet
        Loaded.
    epochs : int
        Epochs in all.
    """

    def __init__(self, trainer: Training, data: DataSet, epochs: int) -> None:
        self._trainer, self._data, self._epochs = trainer, data, epochs
        trainer.model.train()
        self._sharded = _shard_network(trainer, data.train)
        self._average = gradient_average(trainer.comm, trainer.parameters, trainer.rank_device)
        self._loader = data.train.open_loader(
            trainer.batch_size, trainer.comm, trainer.rank_device.device, trainer.seed
        )
        self._throughput = Throughput(
            trainer.comm, epochs, trainer.steps_per_epoch, len(data.train)
        )

    def run(self) -> None:
        """Train until the epochs are complete, or the trainer should stop."""
        trainer = self._trainer
        _finish_hook(trainer)
        trainer.model.train()
        while trainer.position.epoch < self._epochs and not trainer.should_stop:
            self._epoch()
        if trainer.position.hook != "on_fit_end":
            _call_hook(trainer, "on_fit_end")
        if self._average is not None:
            self._average.close()

    def _epoch(self) -> None:
        trainer, throughput = self._trainer, self._throughput
        position, epoch = trainer.position, trainer.position.epoch
        if position.step == 0 and position.hook != "on_epoch_start":
            seed_epoch(trainer.seed, epoch)
            _call_hook(trainer, "on_epoch_start")
        throughput.start_epoch(epoch, position.step * trainer.batch_size, position.seconds)
        doing = f"in training, epoch {epoch + 1}"
        context = ErrorContext(doing, trainer.steps_per_epoch, position.step)
        try:
            with context:
                self._steps(context.follow(self._loader.shuffled(epoch, position.step)))
        finally:
            position.seconds = throughput.epoch_seconds
        flush_losses(position, self._data.train, trainer.batch_size, trainer.seed)
        self._end_epoch()

    def _steps(self, batches: Iterator[Batch]) -> None:
        trainer, throughput, position = self._trainer, self._throughput, self._trainer.position
        hooked = any(overrides(c, "on_step_end") for c in trainer.callbacks)
        watching = [c for c in trainer.callbacks if overrides(c, "on_batch_start")]
        for batch in batches:
            for callback in watching:
                callback.on_batch_start(trainer, batch)
            loss, weight = self._step(batch)
            position.add_step(loss, weight)
            trainer.before_step = None
            if trainer.scheduler is not None and trainer.schedule_every == "batch":
                trainer.scheduler.step()
            if throughput.due(batch.global_rows):
                throughput.report(position.step, float(loss))
            if hooked:
                _finish_hook(trainer)

    def _step(self, batch: Batch) -> tuple[torch.Tensor | float, torch.Tensor | float]:
        """Take one step; return the global batch's mean loss and its weight."""
        trainer, precision = self._trainer, self._trainer.precision
        if trainer.comm.fault_tolerant or self._sharded.acts:
            buffers = self._sharded.changed_buffers(trainer.model)
            trainer.before_step = BeforeStep(random_state(), buffers)
        trainer.optimizer.zero_grad(set_to_none=True)
        loss, total = self._gradient(batch)
        if trainer.clip_norm is not None:
            precision.unscale(trainer.optimizer)
            nn.utils.clip_grad_norm_(trainer.parameters, trainer.clip_norm)
        precision.step(trainer.optimizer)
        return loss, total

    def _gradient(self, batch: Batch) -> tuple[torch.Tensor | float, torch.Tensor | float]:
        """Compute the gradient of the global batch; return its mean loss and its weight."""
        rows, comm = batch.global_rows, self._trainer.comm
        backward = partial(self._backward, rows=rows)
        if not self._sharded.has_too_few_rows(rows):
            return global_gradient(batch, self._loss, backward, self._average)
        # Every rank computes all rows, so that the mean over ranks is that of each.
        all_rows = gather_batch(batch, comm)
        loss, total = global_gradient(all_rows, self._loss, backward, self._average)
        return loss, total / comm.world_size

    def _loss(self, batch: Batch) -> tuple[torch.Tensor, float]:
        trainer = self._trainer
        with self._sharded.acting(batch.global_rows):
            prediction = trainer.precision.forward(trainer.model, batch.features)
        return trainer.loss(prediction, batch.label, batch.weight, batch.total_weight)

    def _backward(self, loss: torch.Tensor, rows: int) -> None:
        with self._sharded.acting(rows):
            self._trainer.precision.backward(loss)

    def _end_epoch(self) -> None:
        trainer, position, data = self._trainer, self._trainer.position, self._data
        drawn = random_state() if self._sharded.acts else None
        check_replicas(trainer.parameters, trainer.comm, position.epoch + 1, drawn)
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
        self._throughput.report_epoch(row)
        _finish_hook(trainer)

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


def _shard_network(trainer: Training, rows: Part) -> ShardedNetwork:
    """Find out whether the network's results depend on how rows are cut among ranks."""
    comm, precision = trainer.comm, trainer.precision
    count = min(len(rows), rows_to_try(comm.world_size)) if comm.world_size > 1 else 0
    pieces = [torch.from_numpy(piece.features) for piece in rows.between(0, count)]
    features = torch.cat(pieces) if pieces else torch.empty(0)
    features = features.to(trainer.rank_device.device)
    with ErrorContext("in training, while the network is tried on the first rows"):
        return shard_network(trainer.model, precision.forward, features, comm, half=precision.half)


def _call_hook(trainer: Training, hook: str) -> None:
    """Call a hook of all callbacks."""
    trainer.position.reach(hook)
    _finish_hook(trainer)


def _finish_hook(trainer: Training) -> None:
    """Call the hook reached last of those callbacks that have not been called yet."""
    position = trainer.position
    row = trainer.history.rows[-1:] if position.hook == "on_epoch_end" else []
    when = _WHEN.get(position.hook, "").format(position.epoch, position.epoch + 1)
    with ErrorContext(f"in training, {when}") if when else nullcontext():
        for callback in trainer.callbacks[position.called :]:
            getattr(callback, position.hook)(trainer, *row)
            position.called += 1
