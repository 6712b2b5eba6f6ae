"""Random numbers inside a network that has a part of the rows: those of the global batch, cut.

Every rank draws what one rank would draw, and keeps the numbers of its own rows. So dropout differs
from row to row, is the same for any number of ranks, and leaves the generators of all ranks in the
same state.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from matexapps.sharding.dropout import drop, drops_rows_alone, memory_order
from matexapps.sharding.shard import Part

Function = Callable[..., Any]

_OF_A_TENSOR = {
    functional.dropout,
    functional.dropout1d,
    functional.dropout2d,
    functional.dropout3d,
    functional.alpha_dropout,
    functional.feature_alpha_dropout,
    torch.dropout,
    torch.alpha_dropout,
    torch.feature_dropout,
    torch.feature_alpha_dropout,
    torch.rand_like,
    torch.randn_like,
    torch.randint_like,
    torch.bernoulli,
    torch.Tensor.bernoulli,
    torch.multinomial,
    torch.Tensor.multinomial,
    torch.poisson,
    torch.normal,
}
_IN_PLACE = {
    torch.Tensor.bernoulli_,
    torch.Tensor.cauchy_,
    torch.Tensor.exponential_,
    torch.Tensor.geometric_,
    torch.Tensor.log_normal_,
    torch.Tensor.normal_,
    torch.Tensor.random_,
    torch.Tensor.uniform_,
}
_OF_A_SIZE = {torch.rand, torch.randn, torch.randint}
DRAWING = frozenset(
    _OF_A_TENSOR | _IN_PLACE | _OF_A_SIZE | {functional.scaled_dot_product_attention}
)


def draws(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether ``function`` draws random numbers."""
    if function is functional.scaled_dot_product_attention:
        return (args[4] if len(args) > 4 else kwargs.get("dropout_p", 0.0)) > 0
    return function in DRAWING


def drawn_shape(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> torch.Size:
    """Return the shape of the random numbers, or of the tensor that they are drawn for."""
    if function in _OF_A_SIZE:
        return torch.Size(_size(function, args, kwargs)[1])
    tensors = (v for v in (*args, *kwargs.values()) if isinstance(v, torch.Tensor))
    return next((tensor.shape for tensor in tensors if tensor.dim()), torch.Size())


def draw(
    function: Function, args: tuple[Any, ...], kwargs: dict[str, Any], part: Part, axis: int
) -> Any:
    """Call a function that draws as for all rows, and return those of ``part``.

    Parameters
    ----------
    function : callable
    args, kwargs : tuple, dict
        As given for this rank's rows.
    part : Part
    axis : int
        Where :func:`drawn_shape` has the rows.
    """
    if function is functional.scaled_dot_product_attention:
        return _attention(*args, **kwargs, part=part, axis=axis)
    if args and isinstance(args[0], torch.Tensor) and drops_rows_alone(function, args[0], axis):
        return drop(function, args, kwargs, part, axis)
    if function in _IN_PLACE:
        return _draw_in_place(function, args, kwargs, part, axis)
    if function in _OF_A_SIZE:
        bounds, size, others = _size(function, args, kwargs)
        return part.cut(function(*bounds, part.global_shape(size, axis), **others), axis)
    rows = drawn_shape(function, args, kwargs)[axis]
    wide = {name: _widened(value, part, axis, rows) for name, value in kwargs.items()}
    drawn = function(*(_widened(value, part, axis, rows) for value in args), **wide)
    return part.cut(drawn, axis)


def _draw_in_place(
    function: Function, args: tuple[Any, ...], kwargs: dict[str, Any], part: Part, axis: int
) -> Any:
    target, *more = args
    rows = target.shape[axis]
    room = _widened(target.detach(), part, axis, rows)
    more = [_widened(value, part, axis, rows) for value in more]
    with torch.no_grad():
        return target.copy_(part.cut(function(room, *more, **kwargs), axis))


def _size(
    function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], tuple[int, ...], dict[str, Any]]:
    """Return what comes before the size, the size, and what comes after it."""
    bounds: tuple[Any, ...] = ()
    if function is torch.randint:
        sizes = [k for k, value in enumerate(args) if isinstance(value, (tuple, list, torch.Size))]
        bounds, args = (args[: sizes[0]], args[sizes[0] :]) if sizes else (args, ())
    others = dict(kwargs)
    given = others.pop("size", args)
    if given is args and args and isinstance(args[0], (tuple, list, torch.Size)):
        given = args[0]
    return bounds, tuple(given), others


def _widened(value: Any, part: Part, axis: int, rows: int) -> Any:
    """Return this rank's rows of a tensor among zeros for the others; other values unchanged."""
    if not isinstance(value, torch.Tensor) or value.dim() <= axis or value.shape[axis] != rows:
        return value
    # Numbers are drawn in the order of memory, so the axes keep theirs.
    order = memory_order(value)
    stored, row_axis = value.permute(order), order.index(axis)
    each = rows // len(part)
    before, after = list(stored.shape), list(stored.shape)
    before[row_axis] = part.start * each
    after[row_axis] = (part.rows - part.start - len(part)) * each
    # Differentiable: gradients of dropout come back through it.
    wide = torch.cat([stored.new_zeros(before), stored, stored.new_zeros(after)], row_axis)
    return wide.permute([order.index(k) for k in range(value.dim())])


def _attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    *,
    part: Part,
    axis: int,
) -> torch.Tensor:
    """Scaled dot-product attention as its documentation in torch writes it out, with dropout."""
    if enable_gqa:
        heads = query.shape[-3]
        key = key.repeat_interleave(heads // key.shape[-3], -3)
        value = value.repeat_interleave(heads // value.shape[-3], -3)
    scores = query @ key.transpose(-2, -1) * (scale or 1 / math.sqrt(query.shape[-1]))
    if is_causal:
        past = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        scores = scores.masked_fill(~past, -math.inf)
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attn_mask, -math.inf)
    elif attn_mask is not None:
        scores = scores + attn_mask
    weights = draw(functional.dropout, (scores.softmax(-1), dropout_p), {}, part, axis)
    return weights @ value
