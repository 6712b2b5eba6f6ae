"""What Keras layers compute themselves, where torch modules would call torch.nn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.overrides import handle_torch_function, has_torch_function_unary

LAYER = "keras.src.layers.layer"
TRAINER = "keras.src.backend.torch.trainer"
OPTIMIZER = "keras.src.optimizers.base_optimizer"
BATCH_NORMALIZATION = "keras.src.layers.normalization.batch_normalization"


def batch_moments(values: torch.Tensor, axes: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and variance over ``axes``; a torch function mode may take the call over."""
    if has_torch_function_unary(values):
        return handle_torch_function(batch_moments, (values,), values, axes)
    variance, mean = torch.var_mean(values, list(axes), correction=0)
    return mean, variance


def moments_of_layer(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``BatchNormalization._moments`` of Keras, which takes :func:`batch_moments`."""

    def moments(self: Any, inputs: Any, mask: Any) -> Any:
        if mask is None and isinstance(inputs, torch.Tensor) and has_torch_function_unary(inputs):
            return batch_moments(inputs, self._reduction_axes)
        return original(self, inputs, mask)

    return moments
