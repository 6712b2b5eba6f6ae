"""Batch normalization with the statistics of the global batch, of which a rank has a part.

Every layer exchanges one message in the forward pass, the mean and variance of each rank's rows,
and one in the backward pass, their gradients.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch.nn import functional

from matexapps.sharding.autograd import Summed
from matexapps.sharding.shard import Part


def moments(
    values: torch.Tensor, axes: Sequence[int], part: Part
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and variance over ``axes`` of the global batch, without these axes.

    Parameters
    ----------
    values : Tensor
        This rank's rows, along one of ``axes``.
    axes : sequence of int
    part : Part
        Which rows of the batch these are.
    """
    variance, mean = torch.var_mean(values, list(axes), correction=0)
    means, variances = _of_all_ranks(torch.stack([mean, variance]), part).unbind(1)
    shares = means.new_tensor([count / part.rows for count in part.counts])
    shares = shares.view(-1, *[1] * mean.dim())
    mean = (shares * means).sum(0)
    # The parallel algorithm of Chan, Golub and LeVeque: it does not cancel as sums of squares do.
    return mean, (shares * (variances + (means - mean).square())).sum(0)


def _of_all_ranks(mine: torch.Tensor, part: Part) -> torch.Tensor:
    """Return the tensors of all ranks, stacked in rank order, with their gradient. Collective."""
    before, after = part.comm.rank, part.comm.world_size - part.comm.rank - 1
    own_line = functional.pad(mine.reshape(1, -1), (0, 0, before, after))
    return Summed.apply(own_line, part.comm).view(-1, *mine.shape)


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
    """Return what torch's ``batch_norm`` gives these rows in training on the global batch.

    Parameters
    ----------
    values : Tensor, shape (rows, channels, ...)
        Several rows for each row of the batch where another axis is folded in, such as time.
    running_mean, running_var : Tensor or None, shape (channels,)
        Updated in place, to the same values on every rank.
    weight, bias : Tensor or None, shape (channels,)
    momentum, eps : float
    part : Part
        Which rows of the batch these are.
    """
    wide = values.to(torch.promote_types(values.dtype, torch.float32))
    mean, variance = moments(wide, [axis for axis in range(wide.dim()) if axis != 1], part)
    if running_mean is not None and running_var is not None:
        count = len(values) // len(part) * part.rows * math.prod(values.shape[2:])
        with torch.no_grad():
            running_mean.lerp_(mean.to(running_mean.dtype), momentum)
            unbiased = variance * (count / max(1, count - 1))
            running_var.lerp_(unbiased.to(running_var.dtype), momentum)
    shape = [1, -1, *[1] * (values.dim() - 2)]
    scale = torch.rsqrt(variance + eps)
    scale = (scale if weight is None else scale * weight).view(shape)
    centered = wide - mean.view(shape)
    if bias is None:
        return (centered * scale).to(values.dtype)
    return torch.addcmul(bias.view(shape), centered, scale).to(values.dtype)
