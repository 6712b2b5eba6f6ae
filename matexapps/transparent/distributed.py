"""Switching it on: ``with mx.distributed():`` and what it hooks into."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ContextDecorator, ExitStack, contextmanager
from types import TracebackType
from typing import Any
from unittest import mock

import torch
import torch.utils.checkpoint
from torch import nn

from matexapps.comm.communicator import Communicator
from matexapps.comm.world import open_world
from matexapps.devices import choose_device
from matexapps.sharding import keras_layers
from matexapps.transparent.after_import import after_import
from matexapps.transparent.gradients import GradientAverager
from matexapps.transparent.rank_zero_io import rank_zero_io
from matexapps.transparent.seeds import same_seeds
from matexapps.transparent.sharded_forward import ShardedForward
from matexapps.transparent.weak_scaling import weak_scaling

_HOOKS = """\
torch.nn.Module.__call__ (patched; in Keras, keras.Layer.__call__): the outermost call of a network
    with parameters computes this rank's rows of the batch; the outputs of all ranks are put
    together
torch.autograd.Function or Tensor.register_hook at the outputs of these calls, and a callback at the
    end of each backward pass: the mean of gradients over ranks, before clipping, optimizers and
    schedulers see them
torch.autograd.grad (patched): the same mean, where gradients of parameters are asked for there
torch.overrides.TorchFunctionMode inside shared calls: dropout and other random numbers, batch
    normalization, sums, means and losses are those of the whole batch
torch.utils.checkpoint.checkpoint (patched): what is computed again in the backward pass of a shared
    call is computed for the same rows
generators of random, numpy and torch: rank 0's state on all ranks; numpy.random.default_rng without
    a seed (patched): one seed for all ranks
open, os, torch.save and other ways to write, print and ask (patched): rank 0's alone count; other
    ranks read what they have written from folders of their own
atexit (patched by `matexapps exec`): what the program registers is done once, at its end
with weak=True, torch.utils.data.DataLoader and torch.optim.Optimizer (patched): batch size and
    learning rate times the number of ranks"""

_active: Communicator | None = None


class distributed(ContextDecorator):
    """Run what is inside, written for one process, on all ranks with the result of one.

    Batch sizes are those of the global batch. Every rank runs the whole program; calls of networks
    are shared out by rows, gradients are averaged, and files and prints are rank 0's. On one rank
    it changes nothing.

    Parameters
    ----------
    comm : Communicator, optional
        The ranks; default: all of them.
    weak : bool
        Keep the program's batch size for each rank, so that the global batch grows with the number
        of ranks, and multiply learning rates by it (Goyal et al. 2017, arXiv:1706.02677).

    Examples
    --------
    ::

        with mx.distributed():
            for x, y in loader:
                optimizer.zero_grad()
                loss_function(model(x), y).backward()
                optimizer.step()
    """

    def __init__(self, comm: Communicator | None = None, *, weak: bool = False) -> None:
        self._comm, self._weak = comm, weak

    def __enter__(self) -> Communicator:
        global _active
        self._stack = ExitStack()
        if _active is not None:
            # A program that says so itself, run by a command that says so too.
            return _active
        with ExitStack() as stack:
            comm = self._comm if self._comm is not None else stack.enter_context(open_world())
            torch.set_num_threads(choose_device(comm, "cpu").threads)
            if comm.world_size > 1:
                stack.enter_context(rank_zero_io(comm))
                stack.enter_context(shared_out(comm, weak=self._weak))
            self._stack = stack.pop_all()
        return comm

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, traceback)

    @staticmethod
    def explain() -> str:
        """Return what is hooked into, a line or two for each."""
        return _HOOKS


@contextmanager
def shared_out(comm: Communicator, *, weak: bool = False) -> Iterator[None]:
    """Do what :class:`distributed` does, but for prints and files. Collective."""
    with ExitStack() as stack:
        _enter(stack, comm, weak)
        yield


def _enter(stack: ExitStack, comm: Communicator, weak: bool) -> None:
    stack.enter_context(mock.patch(f"{__name__}._active", comm))
    stack.enter_context(same_seeds(comm))
    if weak:
        stack.enter_context(weak_scaling(comm.world_size))
    gradients = GradientAverager(comm)
    stack.callback(gradients.stop)
    forwards = ShardedForward(comm, gradients)
    gradient = torch.autograd.grad

    def grad(outputs: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if forwards.inside:
            return gradient(outputs, inputs, *args, **kwargs)
        return gradients.gradient(gradient, inputs, outputs, inputs, *args, **kwargs)

    stack.enter_context(mock.patch.object(torch.autograd, "grad", grad))
    checkpoint = torch.utils.checkpoint.checkpoint

    def recomputed(function: Any, *args: Any, **kwargs: Any) -> Any:
        return checkpoint(forwards.recomputed(function), *args, **kwargs)

    stack.enter_context(mock.patch.object(torch.utils.checkpoint, "checkpoint", recomputed))
    # What is hooked into libraries when they are imported is undone before the rest.
    later = stack.enter_context(ExitStack())

    def share_calls(owner: Any) -> None:
        original = owner.__call__

        def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if forwards.inside:
                return original(module, *args, **kwargs)
            return forwards.call(original, module, args, kwargs)

        later.enter_context(mock.patch.object(owner, "__call__", call))

    share_calls(nn.Module)
    for name, hook in (
        (keras_layers.LAYER, lambda keras: share_calls(keras.Layer)),
        (
            keras_layers.BATCH_NORMALIZATION,
            lambda keras: later.enter_context(keras_layers.moments_taken_over(keras)),
        ),
    ):
        stack.enter_context(after_import(name, hook))
