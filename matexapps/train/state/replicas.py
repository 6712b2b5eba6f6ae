"""Every rank has the same network: made equal at the start, verified at the end of each epoch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from matexapps.comm.communicator import Communicator
from matexapps.errors import TrainingError
from matexapps.sharding.autograd import bytes_of
from matexapps.sharding.snapshot import RandomState


def share_initial_weights(model: nn.Module, comm: Communicator) -> None:
    """Give every rank the weights and buffers of rank 0. Collective."""
    if comm.world_size == 1:
        return
    with torch.no_grad():
        for tensor in [*model.parameters(), *model.buffers()]:
            values = bytes_of(tensor).copy()
            comm.broadcast(values)
            tensor.copy_(torch.from_numpy(values).view(tensor.dtype).reshape(tensor.shape))


def check_replicas(
    parameters: Sequence[nn.Parameter],
    comm: Communicator,
    epoch: int,
    random: RandomState | None = None,
) -> None:
    """Verify that every rank still has the same weights, bit for bit. Collective.

    Parameters
    ----------
    parameters : sequence of nn.Parameter
    comm : Communicator
    epoch : int
        The epoch that has ended, from 1.
    random : dict of Tensor, optional
        The states of the generators, where the network draws from them.

    Raises
    ------
    TrainingError
        On every rank, naming the first that differs.
    """
    if comm.world_size == 1:
        return
    states = list(random.values()) if random else []
    digests = comm.all_gather_object((_digest(parameters), _digest(states)))
    for rank, (weights, generators) in enumerate(digests):
        if weights != digests[0][0]:
            raise TrainingError(
                f"the weights of rank {rank} differ from those of rank 0 after epoch {epoch}; "
                "something changed them on one rank only, such as a callback that acts on one rank"
            )
        if generators != digests[0][1]:
            raise TrainingError(
                f"the random numbers of rank {rank} differ from those of rank 0 after epoch "
                f"{epoch}; something else than the network drew some of them, such as a loss or a "
                "callback: give it a torch.Generator of its own"
            )


def seed_epoch(seed: int, epoch: int) -> None:
    """Seed torch for an epoch's dropout and other random numbers: the same on every rank."""
    torch.manual_seed(int(np.random.SeedSequence([seed, epoch, 0]).generate_state(1)[0]))


def _digest(tensors: Sequence[torch.Tensor]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for tensor in tensors:
        digest.update(bytes_of(tensor).data)
    return digest.hexdigest()
