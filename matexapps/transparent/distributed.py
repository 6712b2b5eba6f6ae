"""Switching it on: ``with mx.distributed():`` and what it hooks into."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import nn

from matexapps.comm.communicator import Communicator
from matexapps.comm.world import open_world
from matexapps.devices import choose_device
from matexapps.transparent.forwards import SharedForwards
from matexapps.transparent.gradients import MeanGradients
from matexapps.transparent.once import written_once

_HOOKS = """\
torch.nn.Module.__call__ (patched): the outermost call of a network with parameters computes this
    rank's rows of the batch; the outputs of all ranks are put together
Tensor.register_post_accumulate_grad_hook, and a callback at the end of each backward pass: the mean
    of gradients over ranks, before clipping, optimisers and schedulers see them
TorchFunctionMode inside shared calls: dropout and other random numbers are those of the whole
    batch, batch normalisation has the whole batch's statistics
seeds of random, numpy and torch: one for all ranks, drawn on rank 0 (a seed that the program sets
    is the same on all ranks anyhow)
torch.save, open for writing, standard output (patched): rank 0's alone count"""


@contextmanager
def distributed(comm: Communicator | None = None) -> Iterator[Communicator]:
    """Run what is inside, written for one process, on all ranks with the result of one.

    Batch sizes are those of the global batch. Every rank runs the whole program; calls of networks
    are shared out by rows, gradients are averaged, and files and prints are rank 0's.

    Parameters
    ----------
    comm : Communicator, optional
        The ranks; default: all of them.

    Yields
    ------
    Communicator
    """
    with ExitStack() as stack:
        if comm is None:
            comm = stack.enter_context(open_world())
        torch.set_num_threads(choose_device(comm, "cpu").threads)
        if comm.world_size > 1:
            _seed_alike(comm)
            gradients = MeanGradients(comm)
            stack.callback(gradients.stop)
            stack.enter_context(_shared_calls(SharedForwards(comm, gradients)))
            stack.enter_context(written_once(comm))
        yield comm


def explain() -> str:
    """Return what :func:`distributed` hooks into, a line or two for each."""
    return _HOOKS


def _seed_alike(comm: Communicator) -> None:
    seed = comm.broadcast_object(int(torch.initial_seed() % 2**32))
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  # the generator that programs use without naming one
    torch.manual_seed(seed)


@contextmanager
def _shared_calls(forwards: SharedForwards) -> Iterator[None]:
    original: Any = nn.Module.__call__

    def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        return forwards.call(original, module, args, kwargs)

    with mock.patch.object(nn.Module, "__call__", call):
        yield
