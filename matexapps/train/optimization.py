"""How a step is taken: the optimizer, and the number formats of the forward and backward pass."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch
from torch import nn

from matexapps.errors import TrainingError, did_you_mean

OptimizerFactory = Callable[[list[nn.Parameter]], torch.optim.Optimizer]
PrecisionName = Literal["float32", "bf16", "fp16"]
_DEFAULT_LEARNING_RATE = 1e-3
_AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


def make_optimizer(
    optimizer: torch.optim.Optimizer | OptimizerFactory | None, parameters: list[nn.Parameter]
) -> torch.optim.Optimizer:
    """Return an optimizer of ``parameters``: the given one, the function's, or AdamW.

    Raises
    ------
    TrainingError
        If it does not step once for each gradient, or holds other parameters.
    """
    if optimizer is None:
        return torch.optim.AdamW(parameters, lr=_DEFAULT_LEARNING_RATE)
    made = optimizer if isinstance(optimizer, torch.optim.Optimizer) else optimizer(parameters)
    if isinstance(made, torch.optim.LBFGS):
        raise TrainingError("LBFGS evaluates the loss many times a step; use SGD or AdamW")
    own = {id(p) for p in parameters}
    if not any(id(p) in own for group in made.param_groups for p in group["params"]):
        raise TrainingError(
            "the optimizer holds none of the model's parameters; make it from "
            "model.parameters(), or pass a function of the parameters"
        )
    return made


class Precision:
    """Mixed precision: numbers of half size where they suffice, of full size where needed.

    Parameters
    ----------
    name : {"float32", "bf16", "fp16"}
        ``"fp16"`` scales the loss so that small gradients do not vanish; it needs a GPU.
    model : torch.nn.Module
        The network, on its device; its own dtype is what inputs are cast to.

    Raises
    ------
    TrainingError
        If the name is unknown, or the device cannot do it.
    """

    def __init__(self, name: str, model: torch.nn.Module, device: torch.device) -> None:
        known = ("float32", *_AUTOCAST)
        if name not in known:
            raise TrainingError(
                f"unknown precision {name!r}{did_you_mean(name, known)}; use one of "
                f"{', '.join(known)}"
            )
        if name == "fp16" and device.type == "cpu":
            raise TrainingError("precision='fp16' needs a GPU; use 'float32' or 'bf16' on the CPU")
        self.device = device
        self._half = _AUTOCAST.get(name)
        self._dtype = next(
            (p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32
        )
        self.scaler = torch.amp.GradScaler(device.type) if name == "fp16" else None

    def forward(self, model: torch.nn.Module, features: torch.Tensor) -> torch.Tensor:
        """Return the network's outputs, in 32 bits where they have half size."""
        with self._autocast():
            prediction: torch.Tensor = model(features.to(self._dtype))
        return prediction.float() if self._half is not None else prediction

    @property
    def half(self) -> bool:
        """Whether numbers of half size are used."""
        return self._half is not None

    def _autocast(self) -> AbstractContextManager[Any]:
        """Let operations choose their number format inside."""
        if self._half is None:
            return nullcontext()
        return torch.autocast(self.device.type, self._half)

    def backward(self, loss: torch.Tensor) -> None:
        """Compute gradients of ``loss``, scaled up for fp16."""
        if self.scaler is None:
            loss.backward()
        else:
            self.scaler.scale(loss).backward()

    def unscale(self, optimizer: torch.optim.Optimizer) -> None:
        """Undo the scaling of the gradients."""
        if self.scaler is not None:
            self.scaler.unscale_(optimizer)

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        """Take the optimizer's step; with fp16, only if every gradient is finite."""
        if self.scaler is None:
            optimizer.step()
        else:
            self.scaler.step(optimizer)
            self.scaler.update()
