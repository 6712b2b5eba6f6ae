"""Losses, metrics and predictions over all ranks: every row once, in order.

A network that draws random numbers in evaluation, too, computes all rows on every rank, with the
numbers that one rank draws.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from matexapps.comm.communicator import Communicator
from matexapps.comm.single import SingleProcess
from matexapps.data.loading.batch import Batch
from matexapps.data.part import Part
from matexapps.data.partition import share
from matexapps.errors import TrainingError
from matexapps.sharding.snapshot import random_state, set_random_state, values_close
from matexapps.train.losses import RowLoss
from matexapps.train.metrics import Metric
from matexapps.train.monitor.error_context import ErrorContext
from matexapps.train.optimization import Precision

_EVALUATION_BATCH = 4096


def evaluate(
    model: torch.nn.Module,
    rows: Part,
    loss: RowLoss,
    metrics: Sequence[Metric],
    precision: Precision,
    comm: Communicator,
    doing: str,
) -> dict[str, float]:
    """Return the weighted mean loss and all metrics over ``rows``. Collective.

    ``doing`` says in the note of an error what was computed.
    """
    if len(rows) == 0:
        raise TrainingError("cannot evaluate on no rows; give this part of the data a share")

    def add_up(ranks: Communicator) -> NDArray[np.float64]:
        """Return sums over a rank's rows: loss, weight, and whether numbers were drawn."""
        for metric in metrics:
            metric.reset()
        sums, start = np.zeros(3), random_state()
        with _own_batches(rows, precision.device, ranks, doing) as batches:
            for batch in batches:
                prediction = precision.forward(model, batch.features)
                mean, weight = loss(prediction, batch.label, batch.weight, batch.total_weight)
                sums[:2] += (float(mean) * weight, weight)
                for metric in metrics:
                    metric.update(prediction, batch.label, batch.weight)
        sums[2] = not values_close(random_state(), start)
        ranks.all_reduce(sums)
        for metric in metrics:
            ranks.all_reduce(metric.sums)
        return sums

    before = random_state()
    with _evaluating(model):
        loss_sum, weight, drawn = add_up(comm)
        if drawn and comm.world_size > 1:
            set_random_state(comm.broadcast_object(before))
            loss_sum, weight, _ = add_up(SingleProcess())
    results = {"loss": float(loss_sum / weight) if weight else float("nan")}
    for metric in metrics:
        results.update(metric.compute())
    return results


def predict(
    model: torch.nn.Module, rows: Part, precision: Precision, comm: Communicator
) -> NDArray[Any]:
    """Return the network's outputs for all ``rows``, in their order, on every rank. Collective."""

    def outputs_of(ranks: Communicator) -> list[NDArray[Any]]:
        with _own_batches(rows, precision.device, ranks, "in prediction") as batches:
            return [precision.forward(model, batch.features).cpu().numpy() for batch in batches]

    before = random_state()
    with _evaluating(model):
        outputs = outputs_of(comm)
        own_shape = (outputs[0].shape[1:], outputs[0].dtype) if outputs else None
        drawn = not values_close(random_state(), before)
        answers = comm.all_gather_object((own_shape, drawn))
        if comm.world_size > 1 and any(drawn for _, drawn in answers):
            set_random_state(comm.broadcast_object(before))
            return np.concatenate(outputs_of(SingleProcess()))
    known = next((shape for shape, _ in answers if shape is not None), None)
    if known is None:
        raise TrainingError("cannot predict on no rows; give at least one")
    mine = np.concatenate(outputs) if outputs else np.empty((0, *known[0]), known[1])
    return comm.all_gather_rows(mine)


@contextmanager
def _own_batches(
    rows: Part, device: torch.device, comm: Communicator, doing: str
) -> Iterator[Iterator[Batch]]:
    """Give this rank's contiguous share of ``rows`` in large batches, without gradients."""
    part = share(len(rows), comm.rank, comm.world_size)
    number = math.ceil((part.stop - part.start) / _EVALUATION_BATCH)
    batches = rows.open_loader(_EVALUATION_BATCH, comm, device).in_order()
    with ErrorContext(doing, number) as context, torch.no_grad():
        yield context.follow(batches)


class _evaluating:
    """Keeps a module in evaluation mode inside."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.model = model

    def __enter__(self) -> None:
        self.was_training = self.model.training
        self.model.eval()

    def __exit__(self, *_: object) -> None:
        self.model.train(self.was_training)
