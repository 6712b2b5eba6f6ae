"""What Keras layers do in a way of their own, where torch modules would call torch.nn."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from types import ModuleType
from typing import Any
from unittest import mock

import torch
from torch.overrides import handle_torch_function, has_torch_function_unary

LAYER = "keras.src.layers.layer"
TRAINER = "keras.src.backend.torch.trainer"
OPTIMIZER = "keras.src.optimizers.base_optimizer"
BATCH_NORMALIZATION = "keras.src.layers.normalization.batch_normalization"


def batch_moments(values: torch.Tensor, axes: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and variance over ``axes``; torch function modes may take it over."""
    if has_torch_function_unary(values):
        return handle_torch_function(batch_moments, (values,), values, axes)
    variance, mean = torch.var_mean(values, list(axes), correction=0)
    return mean, variance


def moments_taken_over(found: ModuleType) -> AbstractContextManager[Any]:
    """Let Keras's batch normalization take its statistics from :func:`batch_moments`."""
    layer: Any = found.BatchNormalization
    original = layer._moments

    def moments(self: Any, inputs: Any, mask: Any) -> Any:
        if mask is None and isinstance(inputs, torch.Tensor) and has_torch_function_unary(inputs):
            return batch_moments(inputs, self._reduction_axes)
        return original(self, inputs, mask)

    return mock.patch.object(layer, "_moments", moments)
