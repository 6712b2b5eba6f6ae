"""Weak scaling: the program's batch size is each rank's, so the global batch grows with ranks.

Learning rates are multiplied by the number of ranks too, the linear scaling rule of Goyal et al.
2017 (arXiv:1706.02677). Schedules that name rates of their own keep them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any
from unittest import mock

from torch.optim import Optimizer
from torch.utils.data import DataLoader

from matexapps.sharding import keras_layers
from matexapps.transparent.after_import import after_import

_KERAS_BATCH_SIZE = 32


@contextmanager
def weak_scaling(world_size: int) -> Iterator[None]:
    """Multiply batch sizes and learning rates of the program inside."""
    with ExitStack() as stack:
        _scale_torch(stack, world_size)

        def scale_fit(found: ModuleType) -> None:
            _scale_keras_fit(stack, found.TorchTrainer, world_size)

        def scale_rate(found: ModuleType) -> None:
            _scale_keras_rate(stack, found.BaseOptimizer, world_size)

        stack.enter_context(after_import(keras_layers.TRAINER, scale_fit))
        stack.enter_context(after_import(keras_layers.OPTIMIZER, scale_rate))
        yield


def _scale_torch(stack: ExitStack, world_size: int) -> None:
    make_loader: Any = DataLoader.__init__
    make_optimizer: Any = Optimizer.__init__

    def loader(self: Any, dataset: Any, batch_size: int | None = 1, *a: Any, **named: Any) -> None:
        if batch_size is not None and named.get("batch_sampler") is None:
            batch_size *= world_size
        make_loader(self, dataset, batch_size, *a, **named)

    def optimizer(self: Any, params: Any, defaults: dict[str, Any]) -> None:
        groups = list(params)
        if groups and isinstance(groups[0], dict):
            groups = [_faster(group, world_size) for group in groups]
        make_optimizer(self, groups, _faster(defaults, world_size))

    stack.enter_context(mock.patch.object(DataLoader, "__init__", loader))
    stack.enter_context(mock.patch.object(Optimizer, "__init__", optimizer))


def _faster(settings: dict[str, Any], world_size: int) -> dict[str, Any]:
    if settings.get("lr") is None:
        return settings
    return {**settings, "lr": settings["lr"] * world_size}


def _scale_keras_fit(stack: ExitStack, trainer: Any, world_size: int) -> None:
    fit = trainer.fit

    def scaled(self: Any, x: Any = None, y: Any = None, batch_size: Any = None, **more: Any) -> Any:
        # Without labels of their own, x is a loader, whose batch size is scaled as it is made.
        if y is not None or batch_size is not None:
            batch_size = (batch_size or _KERAS_BATCH_SIZE) * world_size
        return fit(self, x, y, batch_size, **more)

    stack.enter_context(mock.patch.object(trainer, "fit", scaled))


def _scale_keras_rate(stack: ExitStack, optimizer: Any, world_size: int) -> None:
    make = optimizer.__init__

    def made(self: Any, learning_rate: Any, *args: Any, **named: Any) -> None:
        if isinstance(learning_rate, (int, float)):
            learning_rate *= world_size
        make(self, learning_rate, *args, **named)

    stack.enter_context(mock.patch.object(optimizer, "__init__", made))
