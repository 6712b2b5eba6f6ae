"""Cutting rows among ranks and joining them again, with gradients.

Inside a network each rank has its own rows, and what depends on the rows of all ranks passes
through :class:`Summed`. The gradient of a parameter is then a sum over ranks of the gradients that
each rank's rows give it. Whoever trains the network takes care of that sum:

- The Trainer weighs each rank's loss by its rows, and divides the sum of gradients by the weight of
  the global batch (:mod:`matexapps.train.gradients`).
- A program in transparent mode computes one loss on every rank, so its gradients are averaged over
  ranks with equal weights. There :class:`Joined` multiplies a rank's part of the gradient by the
  number of ranks, so that this mean is the sum. It is right wherever a parameter is used: on parts
  of the rows, on every rank for all rows, or both. :class:`Cut` undoes the factor, and joins the
  gradients of all rows for what came before the network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from matexapps.comm.communicator import Communicator
from matexapps.sharding.shard import Part

OnBackward = Callable[[], None]


class Cut(torch.autograd.Function):
    """This rank's rows of a tensor that every rank has."""

    @staticmethod
    def forward(
        ctx: Any, tensor: torch.Tensor, part: Part, axis: int, on_backward: OnBackward
    ) -> torch.Tensor:
        ctx.given = part, axis, on_backward
        # A tensor of its own: a view made here could not be changed in place by the network.
        return part.cut(tensor, axis).clone()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        part, axis, on_backward = ctx.given
        rows = Joined.apply(gradient / part.comm.world_size, part, axis, on_backward)
        return rows, None, None, None


class Joined(torch.autograd.Function):
    """All rows of a tensor of which every rank has its part.

    ``on_backward`` is called in each backward pass that comes here.
    """

    @staticmethod
    def forward(
        ctx: Any, mine: torch.Tensor, part: Part, axis: int, on_backward: OnBackward
    ) -> torch.Tensor:
        ctx.given = part, axis, on_backward
        return join(mine, part, axis)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        part, axis, on_backward = ctx.given
        on_backward()
        if torch.is_grad_enabled():
            rows = Cut.apply(gradient, part, axis, on_backward)
        else:
            rows = part.cut(gradient, axis)
        return rows * part.comm.world_size, None, None, None


class Summed(torch.autograd.Function):
    """The sum over ranks of a tensor on which the results of every rank depend."""

    @staticmethod
    def forward(ctx: Any, mine: torch.Tensor, comm: Communicator) -> torch.Tensor:
        ctx.comm = comm
        return summed(mine, comm)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return Summed.apply(gradient, ctx.comm), None


class Averaged(torch.autograd.Function):
    """The mean over ranks of a parameter's gradient, of which every rank has a part.

    Every rank computes the same from it, so the gradient passes back unchanged; the mean over ranks
    of what becomes of it is right again.
    """

    @staticmethod
    def forward(ctx: Any, mine: torch.Tensor, comm: Communicator) -> torch.Tensor:
        return summed(mine, comm) / comm.world_size

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradient, None


def cut(leaf: torch.Tensor, part: Part, axis: int, on_backward: OnBackward) -> torch.Tensor:
    """Return this rank's rows of a tensor that every rank has, with their gradient."""
    if leaf.requires_grad and torch.is_grad_enabled():
        return Cut.apply(leaf, part, axis, on_backward)
    return part.cut(leaf, axis)


def joined(leaf: torch.Tensor, part: Part, axis: int, on_backward: OnBackward) -> torch.Tensor:
    """Return all rows of a tensor of which every rank has its part, with their gradient."""
    if leaf.requires_grad:
        return Joined.apply(leaf, part, axis, on_backward)
    return join(leaf, part, axis)


def notify_backward(leaf: Any, on_backward: OnBackward) -> Any:
    """Have ``on_backward`` called in each backward pass through a tensor that every rank has."""
    if isinstance(leaf, torch.Tensor) and leaf.requires_grad and not leaf.is_leaf:
        leaf.register_hook(lambda _: on_backward())
    return leaf


def join(mine: torch.Tensor, part: Part, axis: int) -> torch.Tensor:
    """Return all rows, bit by bit, of a tensor of any type. Collective."""
    if axis == 0 and mine.dtype == torch.float32 and mine.device.type == "cpu":
        plain = mine.detach().contiguous()
        return torch.from_numpy(part.comm.all_gather_rows(plain.numpy(), part.counts))
    rows = mine.detach().movedim(axis, 0).contiguous()
    content = bytes_of(rows).reshape(len(rows), -1)
    gathered = torch.from_numpy(part.comm.all_gather_rows(content, part.counts))
    result = gathered.view(mine.dtype).view(part.rows, *rows.shape[1:])
    return result.movedim(0, axis).contiguous().to(mine.device)


def bytes_of(tensor: torch.Tensor) -> NDArray[np.uint8]:
    """Return the bytes of a tensor of any type, also of those that numpy lacks, shape (n,).

    They share memory with a tensor that lies contiguously in that of the CPU.
    """
    plain = tensor.detach().cpu().resolve_conj().contiguous()
    return plain.reshape(-1).view(torch.uint8).numpy()


def summed(mine: torch.Tensor, comm: Communicator) -> torch.Tensor:
    """Return the sum over ranks of a real or complex tensor. Collective."""
    plain = torch.view_as_real(mine.detach()) if mine.is_complex() else mine.detach()
    # A copy, in a type that numpy and MPI have.
    wide = torch.empty(plain.shape, dtype=torch.promote_types(plain.dtype, torch.float32))
    comm.all_reduce(wide.copy_(plain).numpy())
    total = wide.to(device=mine.device, dtype=plain.dtype)
    return torch.view_as_complex(total) if mine.is_complex() else total
