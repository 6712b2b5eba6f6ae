"""``with mx.distributed():``, and what it patches in torch and Keras."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ContextDecorator, ExitStack, contextmanager
from types import TracebackType
from typing import Any, ClassVar

import torch
import torch.utils.checkpoint
from torch import nn

from matexapps.comm.communicator import Communicator
from matexapps.comm.world import open_world
from matexapps.devices import choose_device
from matexapps.sharding import keras_layers
from matexapps.transparent.gradients import GradientAverager
from matexapps.transparent.patching import after_import, patched
from matexapps.transparent.rank_zero_io import rank_zero_io
from matexapps.transparent.seeds import synchronized_seeds
from matexapps.transparent.sharded_forward import ShardedForward
from matexapps.transparent.weak_scaling import weak_scaling

_HOOKS = """\
torch.nn.Module.__call__ (patched; in Keras, keras.Layer.__call__): in the outermost call of a
    network with parameters, each rank computes its rows of the batch; the outputs of all ranks are
    gathered
torch.autograd.Function or Tensor.register_hook at the outputs of these calls, and a callback at the
    end of each backward pass: gradients are averaged over ranks before clipping, optimizers and
    schedulers see them
torch.autograd.grad (patched): gradients of parameters that are computed here are averaged too
torch.overrides.TorchFunctionMode inside sharded calls: dropout and other random numbers, batch
    normalization, sums, means and losses are those of the global batch
torch.utils.checkpoint.checkpoint (patched): what the backward pass of a sharded call recomputes is
    recomputed for the same rows
generators of random, numpy and torch: set to the state of rank 0 on all ranks;
    numpy.random.default_rng without a seed (patched): seeded identically on all ranks
open, os, torch.save and other functions that write, print or ask (patched): only those of rank 0
    take effect; other ranks read what they have written from folders of their own
atexit (patched by `matexapps exec`): functions that the program registers run at its end, while
    printing and writing are still those of rank 0
with weak=True, torch.utils.data.DataLoader and torch.optim.Optimizer (patched): batch size and
    learning rate are multiplied by the number of ranks"""


class distributed(ContextDecorator):
    """Run code written for one process on all ranks, with the results of one.

    Batch sizes are those of the global batch. Every rank runs the complete program; calls of
    networks are sharded by rows, gradients are averaged, and only rank 0 prints and writes files.
    On one rank nothing changes.

    Parameters
    ----------
    comm : Communicator, optional
        The ranks; default: all of them.
    weak : bool
        Take the program's batch size as that of each rank, so that the global batch grows with the
        number of ranks, and multiply learning rates by that number (Goyal et al. 2017,
        arXiv:1706.02677).

    Examples
    --------
    ::

        with mx.distributed():
            for x, y in loader:
                optimizer.zero_grad()
                loss_function(model(x), y).backward()
                optimizer.step()
    """

    _active: ClassVar[Communicator | None] = None

    def __init__(self, comm: Communicator | None = None, *, weak: bool = False) -> None:
        self._comm, self._weak = comm, weak

    def __enter__(self) -> Communicator:
        self._stack = ExitStack()
        if distributed._active is not None:
            # A program with its own mx.distributed(), run by `matexapps exec`.
            return distributed._active
        with ExitStack() as stack:
            comm = self._comm if self._comm is not None else stack.enter_context(open_world())
            torch.set_num_threads(choose_device(comm, "cpu").threads)
            if comm.world_size > 1:
                stack.enter_context(rank_zero_io(comm))
                stack.enter_context(sharded_calls(comm, weak=self._weak))
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
        """Return what is hooked or patched, a few lines for each."""
        return _HOOKS


@contextmanager
def sharded_calls(comm: Communicator, *, weak: bool = False) -> Iterator[None]:
    """Do what :class:`distributed` does, except for printing and files. Collective.

    Parameters
    ----------
    comm : Communicator
        At least two ranks.
    weak : bool
        As for :class:`distributed`.
    """
    with ExitStack() as stack:
        stack.enter_context(patched(distributed, "_active", comm))
        stack.enter_context(synchronized_seeds(comm))
        if weak:
            stack.enter_context(weak_scaling(comm.world_size))
        gradients = GradientAverager(comm)
        stack.callback(gradients.stop)
        forward = ShardedForward(comm, gradients)
        _patch_autograd(stack, forward, gradients)
        _patch_networks(stack, forward)
        yield


def _patch_autograd(stack: ExitStack, forward: ShardedForward, gradients: GradientAverager) -> None:
    original_grad = torch.autograd.grad
    original_checkpoint = torch.utils.checkpoint.checkpoint

    def grad(outputs: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if forward.inside:
            return original_grad(outputs, inputs, *args, **kwargs)
        return gradients.compute_gradient(original_grad, outputs, inputs, *args, **kwargs)

    def checkpoint(function: Any, *args: Any, **kwargs: Any) -> Any:
        return original_checkpoint(forward.recomputable(function), *args, **kwargs)

    stack.enter_context(patched(torch.autograd, "grad", grad))
    stack.enter_context(patched(torch.utils.checkpoint, "checkpoint", checkpoint))


def _patch_networks(stack: ExitStack, forward: ShardedForward) -> None:
    # Patches that are made when a library is imported are undone before the others.
    patches = stack.enter_context(ExitStack())

    def shard_calls(owner: Any) -> None:
        original = owner.__call__

        def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if forward.inside:
                return original(module, *args, **kwargs)
            return forward.call(original, module, args, kwargs)

        patches.enter_context(patched(owner, "__call__", call))

    def shard_moments(module: Any) -> None:
        layer = module.BatchNormalization
        moments = keras_layers.moments_of_layer(layer._moments)
        patches.enter_context(patched(layer, "_moments", moments))

    shard_calls(nn.Module)
    stack.enter_context(after_import(keras_layers.LAYER, lambda keras: shard_calls(keras.Layer)))
    stack.enter_context(after_import(keras_layers.BATCH_NORMALIZATION, shard_moments))
