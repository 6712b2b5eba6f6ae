"""Cutting rows among ranks and putting them together again, with gradients.

What the program computes on every rank alike has the same gradient on every rank. A network's part
of the rows has its own. Between the two stand these functions: on the way back, :class:`Joined`
multiplies a rank's part of the gradient by the number of ranks, so that the *mean* over ranks of a
parameter's gradient is right, wherever the parameter was used: in parts on all ranks (their sum,
divided and multiplied by the number of ranks), on every rank alike (the mean of equal values), or
both. :class:`Cut` undoes the factor and puts the gradients of all rows together for whatever came
before the network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from matexapps.comm.communicator import Communicator
from matexapps.sharding.shard import Part

Told = Callable[[], None]


class Cut(torch.autograd.Function):
    """This rank's rows of a tensor that every rank has."""

    @staticmethod
    def forward(ctx: Any, whole: torch.Tensor, part: Part, axis: int, told: Told) -> torch.Tensor:
        ctx.given = part, axis, told
        # A tensor of its own: a view made here could not be changed in place by the network.
        return part.cut(whole, axis).clone()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        part, axis, told = ctx.given
        return Joined.apply(gradient / part.comm.world_size, part, axis, told), None, None, None


class Joined(torch.autograd.Function):
    """All rows of a tensor of which every rank has its part.

    ``told`` is called in each backward pass that comes here.
    """

    @staticmethod
    def forward(ctx: Any, mine: torch.Tensor, part: Part, axis: int, told: Told) -> torch.Tensor:
        ctx.given = part, axis, told
        return join(mine, part, axis)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        part, axis, told = ctx.given
        told()
        if torch.is_grad_enabled():
            rows = Cut.apply(gradient, part, axis, told)
        else:
            rows = part.cut(gradient, axis)
        return rows * part.comm.world_size, None, None, None


class Summed(torch.autograd.Function):
    """The sum over ranks of a tensor, of which each rank's result depends on every rank's part."""

    @staticmethod
    def forward(ctx: Any, mine: torch.Tensor, comm: Communicator) -> torch.Tensor:
        ctx.comm = comm
        return summed(mine, comm)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return Summed.apply(gradient, ctx.comm), None


class Averaged(torch.autograd.Function):
    """The mean over ranks of a parameter's gradient, of which every rank has a part.

    What follows is computed on every rank alike, so its gradient goes back as it is; the mean over
    ranks of what becomes of it is right again.
    """

    @staticmethod
    def forward(ctx: Any, mine: torch.Tensor, comm: Communicator) -> torch.Tensor:
        return summed(mine, comm) / comm.world_size

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradient, None


def cut(leaf: torch.Tensor, part: Part, axis: int, told: Told) -> torch.Tensor:
    """Return this rank's rows of a tensor that every rank has, with their gradient."""
    if leaf.requires_grad and torch.is_grad_enabled():
        return Cut.apply(leaf, part, axis, told)
    return part.cut(leaf, axis)


def joined(leaf: torch.Tensor, part: Part, axis: int, told: Told) -> torch.Tensor:
    """Return all rows of a tensor of which every rank has its part, with their gradient."""
    if leaf.requires_grad:
        return Joined.apply(leaf, part, axis, told)
    return join(leaf, part, axis)


def tell_of(leaf: Any, told: Told) -> Any:
    """Have ``told`` called in each backward pass through a tensor that every rank has alike."""
    if isinstance(leaf, torch.Tensor) and leaf.requires_grad and not leaf.is_leaf:
        leaf.register_hook(lambda _: told())
    return leaf


def join(mine: torch.Tensor, part: Part, axis: int) -> torch.Tensor:
    """Return all rows, bit by bit, of a tensor of any type. Collective."""
    if axis == 0 and mine.dtype == torch.float32 and mine.device.type == "cpu":
        plain = mine.detach().contiguous()
        return torch.from_numpy(part.comm.all_gather_rows(plain.numpy(), part.counts))
    rows = mine.detach().movedim(axis, 0).cpu().contiguous()
    plain = torch.view_as_real(rows) if rows.is_complex() else rows
    # As bytes, since numpy has no bfloat16.
    content = plain.reshape(len(rows), -1).view(torch.uint8)
    joined = torch.from_numpy(part.comm.all_gather_rows(content.numpy(), part.counts))
    whole = joined.view(plain.dtype).view(part.rows, *plain.shape[1:])
    if rows.is_complex():
        whole = torch.view_as_complex(whole)
    return whole.movedim(0, axis).contiguous().to(mine.device)


def summed(mine: torch.Tensor, comm: Communicator) -> torch.Tensor:
    """Return the sum over ranks of a real or complex tensor. Collective."""
    total = mine.detach().cpu().contiguous().clone()
    plain = torch.view_as_real(total) if total.is_complex() else total
    wide = plain.to(torch.promote_types(plain.dtype, torch.float32))
    comm.all_reduce(wide.numpy())
    plain.copy_(wide)
    return total.to(mine.device)
