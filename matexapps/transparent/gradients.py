"""The mean of gradients over ranks, at the end of each backward pass.

So clipping, gradient scalers, optimisers and schedulers see what they would see on one rank. A
gradient that was averaged before and is added to, as when gradients accumulate, is averaged once
more, which leaves the older part as it is: it is the same on all ranks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
import torch.utils.weak

from matexapps.comm.communicator import Communicator
from matexapps.errors import TrainingError


class MeanGradients:
    """Watches parameters and averages the gradients that a backward pass has given them."""

    def __init__(self, comm: Communicator) -> None:
        self._comm = comm
        self._watched = torch.utils.weak.WeakIdKeyDictionary()
        self._handles: list[Any] = []
        self._touched: dict[int, torch.Tensor] = {}

    def watch(self, parameters: Iterable[torch.Tensor]) -> None:
        """Average the gradients of ``parameters`` from now on."""
        for parameter in parameters:
            if parameter.requires_grad and parameter not in self._watched:
                self._watched[parameter] = len(self._watched)
                handle = parameter.register_post_accumulate_grad_hook(self._touch)
                self._handles.append(handle)

    def stop(self) -> None:
        """Leave all gradients alone from now on."""
        for handle in self._handles:
            handle.remove()

    def _touch(self, parameter: torch.Tensor) -> None:
        if not self._touched:
            torch.autograd.Variable._execution_engine.queue_callback(self._average)
        self._touched[self._watched[parameter]] = parameter

    def _average(self) -> None:
        touched = [self._touched[number] for number in sorted(self._touched)]
        self._touched = {}
        for dtype in sorted({parameter.dtype for parameter in touched}, key=str):
            self._average_alike([p for p in touched if p.dtype == dtype])

    def _average_alike(self, parameters: list[torch.Tensor]) -> None:
        gradients = []
        for parameter in parameters:
            assert parameter.grad is not None
            if parameter.grad.is_sparse:
                raise TrainingError(
                    f"a parameter of shape {tuple(parameter.shape)} has a sparse gradient, which "
                    "cannot be averaged over ranks; use Embedding(..., sparse=False)"
                )
            gradients.append(parameter.grad)
        flat = torch.cat([_real(gradient).reshape(-1) for gradient in gradients])
        wide = flat.to("cpu", torch.promote_types(flat.dtype, torch.float32)).numpy()
        self._comm.all_reduce(wide)
        wide /= np.asarray(self._comm.world_size, wide.dtype)
        mean = torch.from_numpy(wide).to(flat.device, flat.dtype)
        start = 0
        for gradient in gradients:
            target = _real(gradient)
            target.copy_(mean[start : start + target.numel()].view_as(target))
            start += target.numel()


def _real(gradient: torch.Tensor) -> torch.Tensor:
    gradient = gradient.detach()
    return torch.view_as_real(gradient) if gradient.is_complex() else gradient
