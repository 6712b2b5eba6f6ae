"""Training on any number of ranks, with the result of one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from numpy.typing import NDArray
from torch import nn

from matexapps.comm.communicator import Communicator
from matexapps.comm.failures.fault_tolerant import RankFailure, run_fault_tolerant
from matexapps.comm.world import open_world
from matexapps.data.dataset import DataSet
from matexapps.data.part import Part
from matexapps.devices import choose_device
from matexapps.errors import TrainingError
from matexapps.history import History
from matexapps.progress import report
from matexapps.train.evaluation import evaluate, predict
from matexapps.train.loop import TrainingLoop
from matexapps.train.losses import RowLoss, RowLossFunction
from matexapps.train.metrics import Metric, as_metric
from matexapps.train.monitor.error_context import flush_losses
from matexapps.train.optimization import (
    OptimizerFactory,
    Precision,
    PrecisionName,
    make_optimizer,
)
from matexapps.train.own_sharing import shares_rows
from matexapps.train.standardize import fit_standardize
from matexapps.train.state.position import Position
from matexapps.train.state.recovery import (
    Fit,
    Stage,
    choose_recovery,
    event_of,
    own_checkpoints,
    take_events,
)
from matexapps.train.state.reinit_state import reinit_state
from matexapps.train.state.replicas import share_initial_weights
from matexapps.train.state.resume import restore, restore_fit, synchronize, take_snapshot
from matexapps.train.training import BeforeStep, Callback

T = TypeVar("T")

SchedulerFactory = Callable[[torch.optim.Optimizer, int], Any]


class Trainer:
    """Trains a network on all ranks; the result is that of one rank, to rounding.

    The batch size is that of the global batch, which is cut among the ranks. Every epoch visits
    the rows in one global order drawn from ``seed``, each row once. Gradients and losses are
    averaged with the rows' true weights. Construct and use it on every rank alike.

    Parameters
    ----------
    model : torch.nn.Module
        Takes features of shape (rows, columns). Rank 0's weights are used everywhere. In training
        it acts as on one rank: dropout and torch's random functions draw the same numbers for the
        rows of the global batch; batch normalization, sums and means over the batch include all of
        them, at the price of a message in each pass. Networks that mix rows in other ways, or draw
        from other generators, are refused on several ranks. A fit finds this out by three calls on
        a few rows: see :func:`~matexapps.sharding.sharded_network.shard_network`.
    loss : str, torch loss module or callable
        See :class:`~matexapps.train.losses.RowLoss`.
    optimizer : torch.optim.Optimizer, function or None
        An optimizer of the model's parameters, or a function from the list of trainable parameters
        to one. Default: AdamW with a learning rate of 1e-3.
    batch_size : int
        Rows of a global batch, over all ranks.
    metrics : sequence of str or Metric
        ``"accuracy"``, ``"roc_auc"``, or metrics of your own, computed on the validation rows.
    scheduler : function (optimizer, total) -> learning-rate scheduler, or None
        ``total`` is how often it will be stepped in this fit.
    schedule_every : {"epoch", "batch"}
        When the scheduler steps. A ``ReduceLROnPlateau`` is given the validation loss.
    clip_norm : float or None
        Largest norm of the averaged gradient.
    precision : {"float32", "bf16", "fp16"}
        Number format of the forward and backward pass.
    callbacks : sequence of Callback
    seed : int
        Seed of the order of rows and of torch's generator, which is set at the start of each epoch.
    device : {"auto", "cpu", "cuda"}
    comm : Communicator or None
        The ranks to train on; default: all of them.
    recovery : {"shrink", "reinit", "checkpoint", "abort"} or None
        What to do when ranks die. ``"shrink"``: the remaining ranks take over the rows and repeat
        the step under way. ``"reinit"``: new ranks replace the failed ones, and all restart from
        that step; inside :func:`matexapps.reinit`. ``"checkpoint"``: the job ends, and ``fit`` in
        the next job continues from the newest checkpoint of its ``Checkpointing``; the command line
        starts that job. ``"abort"``: training ends. Default: shrink, where MPI lets ranks continue
        when another dies.

    Raises
    ------
    TrainingError
        If a setting cannot be used; the message names it.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        loss: str | nn.Module | RowLossFunction = "binary_cross_entropy",
        optimizer: torch.optim.Optimizer | OptimizerFactory | None = None,
        batch_size: int = 1024,
        metrics: Sequence[str | Metric] = (),
        scheduler: SchedulerFactory | None = None,
        schedule_every: Literal["epoch", "batch"] = "epoch",
        clip_norm: float | None = None,
        precision: PrecisionName = "float32",
        callbacks: Sequence[Callback] = (),
        seed: int = 0,
        device: str = "auto",
        comm: Communicator | None = None,
        recovery: str | None = None,
    ) -> None:
        _require_known(batch_size, clip_norm, schedule_every)
        self.comm = comm if comm is not None else open_world()
        self.recovery: str = choose_recovery(recovery, self.comm, callbacks)
        self.history = History()
        self.rank_device = self.run_fault_tolerant(
            "before training", lambda: choose_device(self.comm, device)
        )
        torch.set_num_threads(self.rank_device.threads)
        self.model = model.to(self.rank_device.device)
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        if not self.parameters:
            raise TrainingError("the model has no trainable parameters")
        self.optimizer = make_optimizer(optimizer, self.parameters)
        self.loss = RowLoss(loss).to(self.rank_device.device)
        self.metrics = [as_metric(metric) for metric in metrics]
        self.batch_size, self.clip_norm, self.seed = batch_size, clip_norm, seed
        self.precision = Precision(precision, model, self.rank_device.device)
        self.callbacks = list(callbacks)
        self.schedule_every, self._make_scheduler = schedule_every, scheduler
        self.scheduler: Any = None
        self.position = Position()
        self.steps_per_epoch = 0
        self._rows: Part | None = None
        self._digest = ""
        self._renewals = self.comm.renewals
        self.should_stop = False
        self.before_step: BeforeStep | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs to continue."""
        return {**self.__dict__, "_rows": None, "_digest": "", "before_step": None}

    @shares_rows
    def fit(self, data: DataSet, epochs: int, *, resume: str | Path | None = None) -> History:
        """Train until ``epochs`` epochs are complete and return the history. Collective.

        Parameters
        ----------
        data : DataSet
            Its ``train`` rows are learned; its ``validation`` rows, if any, judge each epoch.
        epochs : int
            Epochs in all, including those before a checkpoint. A later call on the same trainer
            continues where this one ended.
        resume : path or None
            A checkpoint, or a folder of them, to continue from; the number of ranks may differ. To
            continue from this trainer's own checkpoints use ``Checkpointing(folder, resume=True)``:
            their folder may still be empty or missing.

        Raises
        ------
        TrainingError
            If the loss is not finite, ranks' weights or random numbers differ, or the network's
            result would depend on the number of ranks.
        CheckpointError
            If ``resume`` cannot be used.
        """
        if epochs < 1:
            raise TrainingError(f"epochs must be at least 1, got {epochs}")
        interrupted = self.comm.broken or self.comm.renewals > self._renewals
        if self.comm.broken:
            self.comm = open_world()
        resume = resume or own_checkpoints(self)
        under_way = Fit(data, epochs, resume, interrupted)
        if self.recovery == "reinit":
            reinit_state.begin(self, under_way)
        try:
            self._run_fault_tolerant(lambda failure: self._fit(under_way, failure))
        except BaseException as error:
            self.comm.abort(f"{type(error).__name__}: {error}")
            raise
        return self.history

    def _fit(self, fit: Fit, failure: RankFailure | None) -> None:
        """Do what is left of a fit."""
        if failure is not None:
            fit.failures.append(failure)
        data = fit.data.load(self.comm)
        self._prepare(data, fit.epochs)
        if fit.earlier_state is not None:
            restore_fit(self, fit, fit.earlier_state)
        if fit.interrupted or failure is not None:
            synchronize(self, fit)
        else:
            share_initial_weights(self.model, self.comm)
        if fit.resume is not None and fit.stage < Stage.RESTORED:
            restore(self, fit.resume)
        fit.stage = max(fit.stage, Stage.RESTORED)
        for event in take_events(fit, self, len(data.train)):
            self._report(event)
        if fit.stage < Stage.BEGUN:
            self.should_stop = False
            self.position.reach("on_fit_start")
        elif self.recovery == "reinit":
            for callback in self.callbacks:
                callback.on_fit_start(self)
        fit.stage = Stage.BEGUN
        TrainingLoop(self, data, fit.epochs).run()

    def _run_fault_tolerant(self, work: Callable[[RankFailure | None], T]) -> T:
        if self.recovery in ("shrink", "reinit"):
            return run_fault_tolerant(self.comm, work)
        return work(None)

    def run_fault_tolerant(self, doing: str, work: Callable[[], T]) -> T:
        """Do work outside of training steps, again if ranks fail meanwhile. Collective.

        Parameters
        ----------
        doing : str
            What the history calls it, such as "in evaluation".
        work : callable
            Takes no arguments.

        Returns
        -------
        What ``work`` returns.
        """

        def do(failure: RankFailure | None) -> T:
            if failure is not None:
                self._report(event_of(failure, self.comm.world_size, doing))
            return work()

        return self._run_fault_tolerant(do)

    def _report(self, event: dict[str, Any]) -> None:
        self._renewals = self.comm.renewals
        self.history.events.append(event)
        report({"kind": "rank_failure", "rank": self.comm.rank, **event})

    @shares_rows
    def evaluate(self, rows: Part) -> dict[str, float]:
        """Return the loss and all metrics over ``rows``, each counted once. Collective."""
        what = self.model, rows, self.loss, self.metrics, self.precision, self.comm
        doing = "in evaluation"
        return self.run_fault_tolerant(doing, lambda: evaluate(*what, doing))

    @shares_rows
    def predict(self, rows: Part) -> NDArray[Any]:
        """Return the network's raw outputs for ``rows``, in their order. Collective."""
        return self.run_fault_tolerant(
            "in prediction", lambda: predict(self.model, rows, self.precision, self.comm)
        )

    @property
    def train_digest(self) -> str:
        """Fingerprint of the training rows, so that a checkpoint is not used with others."""
        if not self._digest and self._rows is not None:
            self._digest = self._rows.digest()
        return self._digest

    def snapshot(self) -> dict[str, Any]:
        """Return everything that a checkpoint keeps. Collective."""
        flush_losses(self.position, self._rows, self.batch_size, self.seed)
        return take_snapshot(self)

    def _prepare(self, data: DataSet, epochs: int) -> None:
        if len(data.train) == 0:
            raise TrainingError("there are no training rows; lower the validation and test shares")
        self._rows = data.train
        self._digest = ""
        self.steps_per_epoch = math.ceil(len(data.train) / self.batch_size)
        fit_standardize(self.model, data, self.comm)
        if self._make_scheduler is not None and self.scheduler is None:
            per_epoch = self.steps_per_epoch if self.schedule_every == "batch" else 1
            self.scheduler = self._make_scheduler(self.optimizer, epochs * per_epoch)


def _require_known(batch_size: int, clip_norm: float | None, schedule_every: str) -> None:
    if batch_size < 1:
        raise TrainingError(f"batch_size must be at least 1, got {batch_size}")
    if clip_norm is not None and not clip_norm > 0:
        raise TrainingError(f"clip_norm must be above 0, got {clip_norm}")
    if schedule_every not in ("epoch", "batch"):
        raise TrainingError(f"schedule_every must be 'epoch' or 'batch', got {schedule_every!r}")
