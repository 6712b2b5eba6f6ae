"""Batch normalisation with the statistics of the whole batch, of which a rank has a part."""

from __future__ import annotations

import math

import torch

from matexapps.transparent.part import Part
from matexapps.transparent.rows import Summed


def batch_norm(
    values: torch.Tensor,
    running_mean: torch.Tensor | None,
    running_var: torch.Tensor | None,
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
    momentum: float,
    eps: float,
    part: Part,
) -> torch.Tensor:
    """Return what torch's ``batch_norm`` gives these rows in training on the whole batch.

    Parameters
    ----------
    values : Tensor, shape (rows, channels, ...)
    running_mean, running_var : Tensor or None, shape (channels,)
        Updated in place, alike on every rank.
    weight, bias : Tensor or None, shape (channels,)
    momentum, eps : float
    part : Part
        Which rows of the batch these are.
    """
    others = [axis for axis in range(values.dim()) if axis != 1]
    shape = [1, -1, *[1] * (values.dim() - 2)]
    count = part.rows * math.prod(values.shape[2:])
    mean = Summed.apply(values.sum(others), part.comm) / count
    centred = values - mean.view(shape)
    variance = Summed.apply(centred.square().sum(others), part.comm) / count
    if running_mean is not None and running_var is not None:
        with torch.no_grad():
            running_mean.lerp_(mean.to(running_mean.dtype), momentum)
            unbiased = variance * (count / max(1, count - 1))
            running_var.lerp_(unbiased.to(running_var.dtype), momentum)
    normal = centred * torch.rsqrt(variance + eps).view(shape)
    if weight is not None:
        normal = normal * weight.view(shape)
    return normal if bias is None else normal + bias.view(shape)
