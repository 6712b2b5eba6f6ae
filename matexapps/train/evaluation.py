"""Losses, metrics and predictions over all ranks: every row once, in order.

Where a network draws random numbers in evaluation too, or takes statistics from the batch, every
rank computes all rows, as one rank would.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.modules.batchnorm import _BatchNorm

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

_Result = TypeVar("_Result")


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

    def add_up(ranks: Communicator) -> tuple[NDArray[np.float64], bool]:
        for metric in metrics:
            metric.reset()
        # Loss and weight, and on how many ranks numbers were drawn.
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
        return sums[:2], sums[2] > 0

    loss_sum, weight = _compute(add_up, model, comm)
    results = {"loss": float(loss_sum / weight) if weight else float("nan")}
    for metric in metrics:
        results.update(metric.compute())
    return results


def predict(
    model: torch.nn.Module, rows: Part, precision: Precision, comm: Communicator
) -> NDArray[Any]:
    """Return the network's outputs for all ``rows``, in their order, on every rank. Collective."""

    def gather(ranks: Communicator) -> tuple[NDArray[Any], bool]:
        start = random_state()
        with _own_batches(rows, precision.device, ranks, "in prediction") as batches:
            outputs = [precision.forward(model, batch.features).cpu().numpy() for batch in batches]
        own_shape = (outputs[0].shape[1:], outputs[0].dtype) if outputs else None
        answers = ranks.all_gather_object((own_shape, not values_close(random_state(), start)))
        known = next((shape for shape, _ in answers if shape is not None), None)
        if known is None:
            raise TrainingError("cannot predict on no rows; give at least one")
        mine = np.concatenate(outputs) if outputs else np.empty((0, *known[0]), known[1])
        return ranks.all_gather_rows(mine), any(drawn for _, drawn in answers)

    return _compute(gather, model, comm)


def _compute(
    compute: Callable[[Communicator], tuple[_Result, bool]],
    model: torch.nn.Module,
    comm: Communicator,
) -> _Result:
    """Compute with each rank's rows, or with all rows on every rank where that differs.

    ``compute`` returns a result of all ranks, and whether random numbers were drawn for it.
    """
    before = random_state()
    with _evaluating(model):
        if comm.world_size == 1 or not _takes_batch_statistics(model):
            result, drawn = compute(comm)
            if comm.world_size == 1 or not drawn:
                return result
        set_random_state(comm.broadcast_object(before))
        result, _ = compute(SingleProcess())
        return result


def _takes_batch_statistics(model: torch.nn.Module) -> bool:
    """Whether batch normalization has no running statistics to use in evaluation."""
    return any(
        isinstance(module, _BatchNorm) and module.running_mean is None for module in model.modules()
    )


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
