"""Sums, means and losses inside a network that has a part of the rows, over the global batch."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch.nn import functional

from matexapps.sharding.autograd import Summed
from matexapps.sharding.shard import Part

Function = Callable[..., Any]

_MEANS = {torch.mean, torch.Tensor.mean}
_SUMS = {torch.sum, torch.Tensor.sum}
_BY_CLASS = {functional.cross_entropy, functional.nll_loss}
_BY_ELEMENT = {
    functional.binary_cross_entropy,
    functional.binary_cross_entropy_with_logits,
    functional.huber_loss,
    functional.kl_div,
    functional.l1_loss,
    functional.mse_loss,
    functional.smooth_l1_loss,
    functional.soft_margin_loss,
}


_LOSSES = _BY_CLASS | _BY_ELEMENT
REDUCING = frozenset(_MEANS | _SUMS | _LOSSES)


def reduced_shape(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> torch.Size:
    """Return the shape of what a function that reduces is given."""
    if function in _LOSSES:
        return _given(function, args, kwargs)["input"].shape
    return (args[0] if args else kwargs["input"]).shape


def reduces_axis(
    function: Function, args: tuple[Any, ...], kwargs: dict[str, Any], axis: int
) -> bool:
    """Whether a call of a function that reduces sums over an axis."""
    if function in _LOSSES:
        return _given(function, args, kwargs)["reduction"] != "none"
    # Torch calls them dim, and axis as numpy does; None means all.
    dims = args[1] if len(args) > 1 else kwargs.get("dim", kwargs.get("axis"))
    if dims is None:
        return True
    if isinstance(dims, int):
        dims = (dims,)
    count = len(reduced_shape(function, args, kwargs))
    return isinstance(dims, (tuple, list)) and axis in [dim % count for dim in dims]


def reduce(
    function: Function, args: tuple[Any, ...], kwargs: dict[str, Any], part: Part, axis: int
) -> Any:
    """Return the sum, mean or loss over the global batch; None where rows are not summed over.

    Parameters
    ----------
    function : callable
    args, kwargs : tuple, dict
        As given for this rank's rows.
    part : Part
    axis : int
        Where :func:`reduced_shape` has the rows.
    """
    if function in _LOSSES:
        return _loss(function, _given(function, args, kwargs), part)
    if not reduces_axis(function, args, kwargs, axis):
        return None
    mine = function(*args, **kwargs)
    if not mine.is_floating_point():
        return None
    if function in _SUMS:
        return Summed.apply(mine, part.comm)
    return Summed.apply(mine * (len(part) / part.rows), part.comm)


def _loss(function: Function, given: dict[str, Any], part: Part) -> Any:
    values, target, reduction = given["input"], given["target"], given["reduction"]
    known = reduction in ("mean", "sum", "batchmean") and given.get("size_average") is None
    if not known or given.get("reduce") is not None:
        return None
    mine = function(**{**given, "reduction": "sum"})
    if reduction == "sum":
        return Summed.apply(mine, part.comm)
    if reduction == "batchmean":
        count = torch.tensor(float(len(values)))
    elif function in _BY_CLASS:
        count = _class_weights(values, target, given["weight"], given["ignore_index"])
    else:
        shape = torch.broadcast_shapes(values.shape, target.shape)
        count = torch.tensor(float(shape.numel()))
    both = Summed.apply(torch.stack([mine, count.to(mine)]), part.comm)
    return both[0] / both[1]


def _class_weights(
    values: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None, ignored: int
) -> torch.Tensor:
    """Return what torch's mean over classes divides by."""
    if target.is_floating_point():
        classes = values.shape[1] if values.dim() > 1 else values.shape[0]
        return torch.tensor(values.numel() / classes)
    counted = target[target != ignored]
    return torch.tensor(float(counted.numel())) if weight is None else weight[counted].sum()


def _given(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    bound = _signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    return bound.arguments


@lru_cache
def _signature(function: Function) -> inspect.Signature:
    return inspect.signature(function)
