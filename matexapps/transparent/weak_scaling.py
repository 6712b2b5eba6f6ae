"""Weak scaling: the program's batch size is that of each rank; the global batch grows with ranks.

Learning rates are multiplied by the number of ranks too, by the linear scaling rule of Goyal et al.
2017 (arXiv:1706.02677). Schedulers that name rates of their own keep them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any

from torch.optim import Optimizer
from torch.utils.data import DataLoader

from matexapps.sharding import keras_layers
from matexapps.transparent.patching import after_import, patched

_KERAS_BATCH_SIZE = 32


@contextmanager
def weak_scaling(world_size: int) -> Iterator[None]:
    """Multiply the batch sizes and learning rates of the program inside by ``world_size``."""
    with ExitStack() as stack:
        _scale_torch(stack, world_size)

        def scale_batch_size(module: ModuleType) -> None:
            _scale_keras_batch_size(stack, module.TorchTrainer, world_size)

        def scale_learning_rate(module: ModuleType) -> None:
            _scale_keras_learning_rate(stack, module.BaseOptimizer, world_size)

        stack.enter_context(after_import(keras_layers.TRAINER, scale_batch_size))
        stack.enter_context(after_import(keras_layers.OPTIMIZER, scale_learning_rate))
        yield


def _scale_torch(stack: ExitStack, world_size: int) -> None:
    init_loader: Any = DataLoader.__init__
    init_optimizer: Any = Optimizer.__init__

    def loader(
        self: Any, dataset: Any, batch_size: int | None = 1, *args: Any, **kwargs: Any
    ) -> None:
        if batch_size is not None and kwargs.get("batch_sampler") is None:
            batch_size *= world_size
        init_loader(self, dataset, batch_size, *args, **kwargs)

    def optimizer(self: Any, params: Any, defaults: dict[str, Any]) -> None:
        groups = list(params)
        if groups and isinstance(groups[0], dict):
            groups = [_scale_rate(group, world_size) for group in groups]
        init_optimizer(self, groups, _scale_rate(defaults, world_size))

    stack.enter_context(patched(DataLoader, "__init__", loader))
    stack.enter_context(patched(Optimizer, "__init__", optimizer))


def _scale_rate(settings: dict[str, Any], world_size: int) -> dict[str, Any]:
    if settings.get("lr") is None:
        return settings
    return {**settings, "lr": settings["lr"] * world_size}


def _scale_keras_batch_size(stack: ExitStack, trainer: Any, world_size: int) -> None:
    original = trainer.fit

    def fit(self: Any, x: Any = None, y: Any = None, batch_size: Any = None, **more: Any) -> Any:
        # Without separate labels x is a loader, whose batch size is scaled where it is made.
        if y is not None or batch_size is not None:
            batch_size = (batch_size or _KERAS_BATCH_SIZE) * world_size
        return original(self, x, y, batch_size, **more)

    stack.enter_context(patched(trainer, "fit", fit))


def _scale_keras_learning_rate(stack: ExitStack, optimizer: Any, world_size: int) -> None:
    original = optimizer.__init__

    def init(self: Any, learning_rate: Any, *args: Any, **kwargs: Any) -> None:
        if isinstance(learning_rate, (int, float)):
            learning_rate *= world_size
        original(self, learning_rate, *args, **kwargs)

    stack.enter_context(patched(optimizer, "__init__", init))
