"""Random numbers inside a network that has a part of the rows: those of the whole batch, cut.

Every rank draws what one rank would draw and keeps the numbers of its own rows. So dropout differs
from row to row as it should, is the same for any number of ranks, and leaves the generators of all
ranks at the same place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from matexapps.transparent.part import Part

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
    torch.normal,
}
_IN_PLACE = {
    torch.Tensor.bernoulli_,
    torch.Tensor.normal_,
    torch.Tensor.uniform_,
    torch.Tensor.exponential_,
    torch.Tensor.random_,
}
_OF_A_SIZE = {torch.rand, torch.randn}


def draws(function: Function) -> bool:
    """Whether ``function`` draws random numbers."""
    return function in _OF_A_TENSOR or function in _IN_PLACE or function in _OF_A_SIZE


def draw(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any], part: Part) -> Any:
    """Call a function that draws as if for all rows, and return those of ``part``."""
    if function in _IN_PLACE:
        target, *more = args
        if not part.has(target):
            return function(*args, **kwargs)
        with torch.no_grad():
            return target.copy_(part.cut(function(part.room_for(target), *more, **kwargs)))
    if function in _OF_A_SIZE:
        size = args[0] if args and isinstance(args[0], (tuple, list, torch.Size)) else args
        if not size or size[0] != len(part):
            return function(*args, **kwargs)
        return part.cut(function((part.rows, *size[1:]), **kwargs))
    if not any(part.has(value) for value in (*args, *kwargs.values())):
        return function(*args, **kwargs)
    wide = {name: part.widened(value) for name, value in kwargs.items()}
    return part.cut(function(*map(part.widened, args), **wide))
