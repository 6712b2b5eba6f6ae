"""Dropout of a rank's rows with the random numbers that one rank draws for the global batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch.nn import functional

from matexapps.sharding.shard import Part

Function = Callable[..., Any]

# A row of these has one random number for each channel, where it has the usual number of axes.
_OF_CHANNELS = {functional.dropout1d: 3, functional.dropout2d: 4, functional.dropout3d: 5}
_OF_ELEMENTS = {functional.dropout, torch.dropout}
_BITS_OF_A_DOUBLE = 53
_SKIPPED_AT_ONCE = 4096


def drops_rows_alone(function: Function, values: torch.Tensor, axis: int) -> bool:
    """Whether :func:`drop` can take over this call of a dropout function."""
    if values.device.type != "cpu" or not values.is_floating_point():
        return False
    if function in _OF_ELEMENTS:
        return True
    return axis == 0 and _OF_CHANNELS.get(function) == values.dim()


def drop(
    function: Function, args: tuple[Any, ...], kwargs: dict[str, Any], part: Part, axis: int
) -> torch.Tensor:
    """Return what a dropout function gives these rows of the global batch.

    Parameters
    ----------
    function : callable
        One of torch's, for which :func:`drops_rows_alone` holds.
    args, kwargs : tuple, dict
        As given for this rank's rows.
    part : Part
    axis : int
        Where the values have rows.
    """
    values, p, training, inplace = _arguments(*args, **kwargs)
    if not training or not 0 < p < 1:
        return function(*args, **kwargs)
    if function in _OF_ELEMENTS:
        noise = _noise_of_elements(values, 1 - p, part, axis)
    else:
        sizes = [*values.shape[:2], *[1] * (values.dim() - 2)]
        noise = _mask(sizes, 1 - p, part, 0).to(values.dtype)
    noise.div_(1 - p)
    return values.mul_(noise) if inplace else values * noise


def _arguments(
    input: torch.Tensor,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    train: bool = True,
) -> tuple[torch.Tensor, float, bool, bool]:
    """Return what torch's dropout functions are given; one of them calls ``training`` train."""
    return input, p, training and train, inplace


def _noise_of_elements(values: torch.Tensor, p: float, part: Part, axis: int) -> torch.Tensor:
    if values.is_contiguous():
        return _mask(values.shape, p, part, axis).to(values.dtype)
    # Numbers are drawn in the order of memory.
    order = memory_order(values)
    sizes = [values.shape[k] for k in order]
    noise = _mask(sizes, p, part, order.index(axis)).to(values.dtype)
    return noise.permute([order.index(k) for k in range(values.dim())])


def memory_order(values: torch.Tensor) -> list[int]:
    """Return the axes of a tensor as they lie in memory, the outermost first."""
    return sorted(range(values.dim()), key=values.stride, reverse=True)


def _mask(sizes: Sequence[int], p: float, part: Part, axis: int) -> torch.Tensor:
    """Return which elements of this rank's rows stay, each with probability ``p``."""
    shape = part.global_shape(sizes, axis)
    if not _draws_64_bits():
        return part.cut(torch.empty(shape).bernoulli_(p), axis)
    # The raw numbers come in half the time of `bernoulli_`, which turns each into a double.
    if axis > 0:
        return _below(part.cut(torch.empty(shape, dtype=torch.int64).random_(), axis), p)
    mine = torch.empty(tuple(sizes), dtype=torch.int64)
    of_a_row = mine.numel() // len(part)
    _skip(part.start * of_a_row)
    mine.random_()
    _skip((part.rows - part.start - len(part)) * of_a_row)
    return _below(mine, p)


def _skip(count: int) -> None:
    """Move torch's generator past the random numbers of other ranks' rows."""
    # Little at a time: it stays in the processor's first cache, and leaves the others alone.
    scratch = torch.empty(min(count, _SKIPPED_AT_ONCE), dtype=torch.int64)
    for left in range(count, 0, -_SKIPPED_AT_ONCE):
        scratch[:left].random_()


def _below(raw: torch.Tensor, p: float) -> torch.Tensor:
    """Return which of some 64-bit random numbers ``bernoulli_`` turns into 1."""
    return raw.bitwise_and(2**_BITS_OF_A_DOUBLE - 1).lt_(math.ceil(p * 2**_BITS_OF_A_DOUBLE))


@lru_cache
def _draws_64_bits() -> bool:
    """Whether ``bernoulli_`` takes 64 random bits for each element on this machine.

    With Intel's MKL on Intel's processors it takes one number as the seed of all elements.
    """
    with torch.random.fork_rng(devices=[]):
        start = torch.get_rng_state()
        expected = torch.empty(999).bernoulli_(0.3)
        after = torch.get_rng_state()
        torch.set_rng_state(start)
        ours = _below(torch.empty(999, dtype=torch.int64).random_(), 0.3)
        return torch.equal(expected, ours.to(expected.dtype)) and torch.equal(
            after, torch.get_rng_state()
        )
