"""Weak scaling: the program's batch size is each rank's, so the global batch grows with ranks.

Learning rates are multiplied by the number of ranks too, the linear scaling rule of Goyal et al.
2017 (arXiv:1706.02677).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from torch.optim import Optimizer
from torch.utils.data import DataLoader


@contextmanager
def weak_scaling(world_size: int) -> Iterator[None]:
    """Multiply batch sizes of loaders and learning rates of optimisers made inside."""
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

    with (
        mock.patch.object(DataLoader, "__init__", loader),
        mock.patch.object(Optimizer, "__init__", optimizer),
    ):
        yield


def _faster(settings: dict[str, Any], world_size: int) -> dict[str, Any]:
    if settings.get("lr") is None:
        return settings
    return {**settings, "lr": settings["lr"] * world_size}
