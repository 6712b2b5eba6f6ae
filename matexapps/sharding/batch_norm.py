"""Batch normalization with the statistics of the global batch, of which a rank has a part.

Every layer exchanges one message in the forward pass, the mean and variance of each rank's rows,
and one in the backward pass, the sums that their gradients need.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional

from matexapps.sharding.autograd import Summed, summed
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
    # torch.var_mean takes ten times as long where channels come last.
    mean = values.mean(list(axes), keepdim=True)
    variance = (values - mean).square().mean(list(axes))
    shape = variance.shape
    mine = torch.stack([mean.view(shape), variance]).view(1, -1)
    before, after = part.comm.rank, part.comm.world_size - part.comm.rank - 1
    table = Summed.apply(functional.pad(mine, (0, 0, before, after)), part.comm)
    mean, variance = _combine(table.view(-1, 2, shape.numel()), part)
    return mean.view(shape), variance.view(shape)


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
    output, mean, variance = _BatchNorm.apply(values, weight, bias, eps, part)
    if running_mean is not None and running_var is not None:
        count = _count(values, part)
        with torch.no_grad():
            running_mean.lerp_(mean.to(running_mean.dtype), momentum)
            unbiased = variance * (count / max(1, count - 1))
            running_var.lerp_(unbiased.to(running_var.dtype), momentum)
    return output


class _BatchNorm(torch.autograd.Function):
    """Normalized values, and the mean and variance of the global batch."""

    @staticmethod
    def forward(
        ctx: Any,
        values: torch.Tensor,
        weight: torch.Tensor | None,
        bias: torch.Tensor | None,
        eps: float,
        part: Part,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        axes, shape = _axes(values)
        wide = _wide(values)
        own_mean = wide.mean(axes)
        own_variance = (wide - own_mean.view(shape)).square().mean(axes)
        mine = torch.stack([own_mean, own_variance])
        table = mine.new_zeros(part.comm.world_size, *mine.shape)
        table[part.comm.rank] = mine
        mean, variance = _combine(summed(table, part.comm), part)
        inverse = torch.rsqrt(variance + eps)
        scale = inverse if weight is None else inverse * weight
        shift = torch.zeros_like(mean) if bias is None else bias
        output = torch.addcmul(shift.view(shape), wide - mean.view(shape), scale.view(shape))
        ctx.save_for_backward(values, weight, bias, mean, inverse)
        ctx.given = eps, part
        ctx.mark_non_differentiable(mean, variance)
        return output.to(values.dtype), mean, variance

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        values, weight, bias, mean, inverse = ctx.saved_tensors
        eps, part = ctx.given
        if torch.is_grad_enabled():
            return *_gradient_with_graph(values, weight, bias, eps, part, gradients[0]), None, None
        axes, shape = _axes(values)
        gradient, centered = _wide(gradients[0]), _wide(values) - mean.view(shape)
        of_bias = gradient.sum(axes)
        of_weight = (gradient * centered).sum(axes) * inverse
        sums = summed(torch.stack([of_bias, of_weight]), part.comm) / _count(values, part)
        scale = inverse if weight is None else inverse * weight
        shift, slope = -scale * sums[0], -scale * sums[1] * inverse
        result = torch.addcmul(shift.view(shape), gradient, scale.view(shape))
        result.addcmul_(centered, slope.view(shape))
        return (
            result.to(values.dtype),
            None if weight is None else of_weight.to(weight.dtype),
            None if bias is None else of_bias.to(bias.dtype),
            None,
            None,
        )


def _gradient_with_graph(
    values: torch.Tensor,
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
    eps: float,
    part: Part,
    gradient: torch.Tensor,
) -> list[torch.Tensor | None]:
    """Return gradients of :class:`_BatchNorm` that have gradients themselves."""
    # Views: a program in transparent mode has the gradients of its parameters averaged.
    values = values.view_as(values)
    weight = weight if weight is None else weight.view_as(weight)
    bias = bias if bias is None else bias.view_as(bias)
    axes, shape = _axes(values)
    wide = _wide(values)
    mean, variance = moments(wide, axes, part)
    output = (wide - mean.view(shape)) * torch.rsqrt(variance + eps).view(shape)
    output = output if weight is None else output * weight.view(shape)
    output = (output if bias is None else output + bias.view(shape)).to(values.dtype)
    inputs = [t if t is not None and t.requires_grad else None for t in (values, weight, bias)]
    wanted = [t for t in inputs if t is not None]
    results = iter(torch.autograd.grad(output, wanted, gradient, create_graph=True))
    return [None if t is None else next(results) for t in inputs]


def _combine(table: torch.Tensor, part: Part) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and variance of all rows, shape (channels,), from those of each rank's rows.

    Parameters
    ----------
    table : Tensor, shape (ranks, 2, channels)
    part : Part
    """
    shares = table.new_tensor([count / part.rows for count in part.counts])
    mean, variance = (shares @ table.flatten(1)).view(2, -1).unbind()
    # The parallel algorithm of Chan, Golub and LeVeque: it does not cancel as sums of squares do.
    return mean, variance + shares @ (table[:, 0] - mean).square()


def _axes(values: torch.Tensor) -> tuple[list[int], list[int]]:
    """Return all axes but that of channels, and the shape that channels are broadcast with."""
    axes = [axis for axis in range(values.dim()) if axis != 1]
    return axes, [-1 if axis == 1 else 1 for axis in range(values.dim())]


def _wide(values: torch.Tensor) -> torch.Tensor:
    return values.to(torch.promote_types(values.dtype, torch.float32))


def _count(values: torch.Tensor, part: Part) -> int:
    """Return how many values each channel has in the global batch."""
    return len(values) // len(part) * part.rows * math.prod(values.shape[2:])
