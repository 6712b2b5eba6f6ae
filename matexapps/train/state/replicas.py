"""Every rank holds the same network: made so at the start, verified at each epoch's end."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from matexapps.comm.communicator import Communicator
from matexapps.errors import TrainingError


def refuse_what_cannot_be_shared(model: nn.Module, comm: Communicator) -> None:
    """Raise ``TrainingError`` for a network whose result would depend on the number of ranks."""
    if not any(p.requires_grad for p in model.parameters()):
        raise TrainingError("the model has no trainable parameters")
    if comm.world_size == 1:
        return
    for name, module in model.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            raise TrainingError(
                f"{type(module).__name__} at {name!r} mixes the rows of a batch, so that "
                f"{comm.world_size} ranks would not give the result of one; use LayerNorm or "
                "GroupNorm"
            )


def share_initial_weights(model: nn.Module, comm: Communicator) -> None:
    """Give every rank the weights and buffers of rank 0. Collective."""
    if comm.world_size == 1:
        return
    with torch.no_grad():
        for tensor in [*model.parameters(), *model.buffers()]:
            values = _bytes_of(tensor).copy()
            comm.broadcast(values)
            tensor.copy_(torch.from_numpy(values).view(tensor.dtype).reshape(tensor.shape))


def check_replicas(parameters: Sequence[nn.Parameter], comm: Communicator, epoch: int) -> None:
    """Make sure that every rank still holds the same weights, bit for bit. Collective.

    Raises
    ------
    TrainingError
        On every rank, naming the first that differs.
    """
    if comm.world_size == 1:
        return
    digest = hashlib.blake2b(digest_size=16)
    for p in parameters:
        digest.update(_bytes_of(p).data)
    digests = comm.all_gather_object(digest.hexdigest())
    odd = [rank for rank, other in enumerate(digests) if other != digests[0]]
    if odd:
        raise TrainingError(
            f"the weights of rank {odd[0]} differ from those of rank 0 after epoch {epoch}; "
            "something changed them on one rank only, such as a callback that acts on one rank"
        )


def seed_rank(seed: int, epoch: int, rank: int) -> None:
    """Seed torch for this rank's dropout: a stream of its own for each rank and epoch."""
    torch.manual_seed(int(np.random.SeedSequence([seed, epoch, rank]).generate_state(1)[0]))


def _bytes_of(tensor: torch.Tensor) -> NDArray[np.uint8]:
    return tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy()
