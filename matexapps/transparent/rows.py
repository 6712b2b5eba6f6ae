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

from typing import Any

import numpy as np
import torch

from matexapps.comm.communicator import Communicator
from matexapps.data.partition import share


class Cut(torch.autograd.Function):
    """This rank's rows of a tensor that every rank has."""

    @staticmethod
    def forward(ctx: Any, whole: torch.Tensor, comm: Communicator) -> torch.Tensor:
        part = share(len(whole), comm.rank, comm.world_size)
        ctx.comm, ctx.rows = comm, len(whole)
        return whole[part.start : part.stop]

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return Joined.apply(gradient / ctx.comm.world_size, ctx.rows, ctx.comm), None


class Joined(torch.autograd.Function):
    """All rows of a tensor of which every rank has its part."""

    @staticmethod
    def forward(ctx: Any, part: torch.Tensor, rows: int, comm: Communicator) -> torch.Tensor:
        ctx.comm = comm
        return join(part, rows, comm)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return Cut.apply(gradient, ctx.comm) * ctx.comm.world_size, None, None


class Summed(torch.autograd.Function):
    """The sum over ranks of a tensor, of which each rank's result depends on every rank's part."""

    @staticmethod
    def forward(ctx: Any, part: torch.Tensor, comm: Communicator) -> torch.Tensor:
        ctx.comm = comm
        total = part.detach().cpu().contiguous().clone()
        comm.all_reduce(total.numpy())
        return total.to(part.device)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return Summed.apply(gradient, ctx.comm), None


def join(part: torch.Tensor, rows: int, comm: Communicator) -> torch.Tensor:
    """Return all ``rows`` rows, bit by bit, of a tensor of any type. Collective."""
    mine = share(rows, comm.rank, comm.world_size)
    whole = torch.zeros((rows, *part.shape[1:]), dtype=part.dtype)
    whole[mine.start : mine.stop] = part.detach().cpu()
    # The others' rows are zero bytes, so a sum of bytes puts the parts side by side.
    flat = whole.reshape(-1).view(torch.uint8).numpy() if whole.numel() else np.empty(0, np.uint8)
    wide = flat.view(np.int64) if flat.nbytes % 8 == 0 else flat
    comm.all_reduce(wide)
    return whole.to(part.device)
