"""Number formats of the forward and backward pass."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch

from matexapps.errors import TrainingError, did_you_mean

PrecisionName = Literal["float32", "bf16", "fp16"]
_AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Precision:
    """Mixed precision: half-size numbers where they do, full size where they must be.

    Parameters
    ----------
    name : {"float32", "bf16", "fp16"}
        ``"fp16"`` scales the loss so that small gradients run_fault_tolerant, and needs a GPU.
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
        """Return the network's outputs, those of half size brought back to 32 bits."""
        with self._autocast():
            prediction: torch.Tensor = model(features.to(self._dtype))
        return prediction.float() if self._half is not None else prediction

    def _autocast(self) -> AbstractContextManager[Any]:
        """The block in which operations choose their number format."""
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
