"""Batch normalization with the statistics of the whole batch, of which a rank has a part."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from matexapps.sharding.autograd import Summed
from matexapps.sharding.shard import Part


def moments(
    values: torch.Tensor, axes: Sequence[int], part: Part
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and variance over ``axes`` of the whole batch, without these axes.

    Parameters
    ----------
    values : Tensor
        This rank's rows, along one of ``axes``.
    axes : sequence of int
    part : Part
        Which rows of the batch these are.
    """
    axes = list(axes)
    here = math.prod(values.shape[axis] for axis in axes)
    count = here // len(part) * part.rows
    mean = Summed.apply(values.sum(axes, keepdim=True), part.comm) / count
    variance = Summed.apply((values - mean).square().sum(axes), part.comm) / count
    return mean.squeeze(axes), variance


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
        Several rows for each row of the batch where another axis is folded in, as time.
    running_mean, running_var : Tensor or None, shape (channels,)
        Updated in place, alike on every rank.
    weight, bias : Tensor or None, shape (channels,)
    momentum, eps : float
    part : Part
        Which rows of the batch these are.
    """
    shape = [1, -1, *[1] * (values.dim() - 2)]
    mean, variance = moments(values, [axis for axis in range(values.dim()) if axis != 1], part)
    if running_mean is not None and running_var is not None:
        count = len(values) // len(part) * part.rows * math.prod(values.shape[2:])
        with torch.no_grad():
            running_mean.lerp_(mean.to(running_mean.dtype), momentum)
            unbiased = variance * (count / max(1, count - 1))
            running_var.lerp_(unbiased.to(running_var.dtype), momentum)
    normal = (values - mean.view(shape)) * torch.rsqrt(variance + eps).view(shape)
    if weight is not None:
        normal = normal * weight.view(shape)
    return normal if bias is None else normal + bias.view(shape)
