"""Losses, metrics and predictions over all ranks: every row once, in order."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from matexapps.comm.communicator import Communicator
from matexapps.data.loading.batch import Batch
from matexapps.data.part import Part
from matexapps.data.partition import share
from matexapps.errors import TrainingError
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
    for metric in metrics:
        metric.reset()
    loss_sums = np.zeros(2)
    with _evaluating(model), _own_batches(rows, precision.device, comm, doing) as batches:
        for batch in batches:
            prediction = precision.forward(model, batch.features)
            mean, weight = loss(prediction, batch.label, batch.weight, batch.total_weight)
            loss_sums += (float(mean) * weight, weight)
            for metric in metrics:
                metric.update(prediction, batch.label, batch.weight)
    comm.all_reduce(loss_sums)
    results = {"loss": float(loss_sums[0] / loss_sums[1]) if loss_sums[1] else float("nan")}
    for metric in metrics:
        comm.all_reduce(metric.sums)
        results.update(metric.compute())
    return results


def predict(
    model: torch.nn.Module, rows: Part, precision: Precision, comm: Communicator
) -> NDArray[Any]:
    """Return the network's outputs for all ``rows``, in their order, on every rank. Collective."""
    outputs: list[NDArray[Any]] = []
    with _evaluating(model), _own_batches(rows, precision.device, comm, "in prediction") as batches:
        for batch in batches:
            outputs.append(precision.forward(model, batch.features).cpu().numpy())
    shapes = comm.all_gather_object((outputs[0].shape[1:], outputs[0].dtype) if outputs else None)
    known = next((shape for shape in shapes if shape is not None), None)
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
