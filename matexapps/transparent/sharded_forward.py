"""Calls of networks in which each rank computes its part of the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain, compress
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from matexapps.comm.communicator import Communicator
from matexapps.sharding.autograd import OnBackward, cut, joined, notify_backward
from matexapps.sharding.global_batch import ShardedBatch
from matexapps.sharding.shard import Part
from matexapps.sharding.snapshot import PLAIN, Attributes
from matexapps.train.own_sharing import trainer_at_work
from matexapps.transparent.consistency import require_consistency, synchronize_weights
from matexapps.transparent.gradients import GradientAverager
from matexapps.transparent.probing.plans import CallPlans
from matexapps.transparent.probing.pytree import flatten, unflatten
from matexapps.transparent.probing.shardability import (
    Plan,
    count_rows,
    is_concrete,
    nest_arguments,
)
from matexapps.transparent.probing.structure import Structure
from matexapps.transparent.user_code import warn

# Inputs and weights are compared between ranks in calls 1, 8, 64, ... of a network.
_CHECK_INTERVAL_FACTOR = 8
_MOST_CACHED_PARTS = 64
_NO_MODE: AbstractContextManager[Any] = nullcontext()


@dataclass
class _NetworkState:
    """What is known of a network from its earlier calls."""

    plans: CallPlans
    structure: Structure | None = None
    trained: list[bool] = field(default_factory=list)
    on_backward: OnBackward = lambda: None
    calls: int = 0
    next_check: int = 1
    warned: bool = False


class ShardedForward:
    """Shards the outermost calls of networks that have parameters.

    Each kind of call is probed first (:mod:`matexapps.transparent.probing.shardability`). What
    cannot be sharded is computed on every rank, which is as exact, and as slow as on one rank.

    Parameters
    ----------
    comm : Communicator
    gradients : GradientAverager
        Averages the gradients of each network's parameters.

    Attributes
    ----------
    inside : bool
        Whether a network is being called.
    """

    def __init__(self, comm: Communicator, gradients: GradientAverager) -> None:
        self._comm, self._gradients = comm, gradients
        self._networks: WeakKeyDictionary[nn.Module, _NetworkState] = WeakKeyDictionary()
        self.inside = False
        self._batch_mode = _NO_MODE
        self._part = lru_cache(_MOST_CACHED_PARTS)(lambda rows, axis: Part(rows, comm, axis))

    def call(self, original: Callable[..., Any], module: nn.Module, args: Any, kwargs: Any) -> Any:
        """Call ``module`` as the program does, on this rank's rows where that is exact. Collective.

        Parameters
        ----------
        original : callable
            ``nn.Module.__call__``, or that of Keras layers.
        module : nn.Module
        args, kwargs : tuple, dict
            The program's arguments, for all rows.

        Returns
        -------
        object
            The outputs for all rows.
        """
        if not (module._parameters or module._modules) or trainer_at_work():
            return original(module, *args, **kwargs)
        self.inside, self._batch_mode = True, _NO_MODE
        try:
            return self._call_outermost(original, module, args, kwargs)
        finally:
            self.inside = False

    def recomputable(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``function``, so that the backward pass can call it again on the same rows."""
        if not self.inside:
            return function
        batch_mode = self._batch_mode

        def recompute(*args: Any, **kwargs: Any) -> Any:
            if self.inside:
                return function(*args, **kwargs)
            self.inside = True
            try:
                with batch_mode:
                    return function(*args, **kwargs)
            finally:
                self.inside = False

        return recompute

    def _call_outermost(
        self, original: Callable[..., Any], module: nn.Module, args: Any, kwargs: Any
    ) -> Any:
        leaves, nesting = _flatten_arguments(args, kwargs)
        plain = all(isinstance(value, PLAIN) for value in chain(args, kwargs.values()))
        if plain or not is_concrete(leaves):
            return original(module, *args, **kwargs)
        network = _uncompiled(module)
        state = self._networks.get(network)
        if state is None:
            if next(network.parameters(), None) is None:
                return original(module, *args, **kwargs)
            state = self._networks[network] = _NetworkState(CallPlans(self._comm))
            synchronize_weights(type(network).__name__, _tensors(network), self._comm)
        if not self._register(network, state):
            return original(module, *args, **kwargs)
        self._check_consistency(network, state, leaves)
        assert state.structure is not None
        plan = state.plans.find(original, network, state.structure, leaves, nesting)
        if plan is None:
            return self._call_unsharded(original, module, state, args, kwargs)
        part = self._part(count_rows(leaves, plan.axis), plan.axis)
        inputs = [
            leaf if axis is None else cut(leaf, part, axis, state.on_backward)
            for leaf, axis in zip(leaves, plan.inputs, strict=True)
        ]
        sharded_args, sharded_kwargs = nest_arguments(inputs, nesting)
        if plan.needs_global_batch:
            self._batch_mode = ShardedBatch(part, plan.inner_axes, compiled=plan.compiled)
        # Compiled code would bypass the mode.
        called = network if plan.needs_global_batch else module
        attributes = Attributes() if plan.draws else state.structure.user_attributes(network)
        generator = None if plan.draws else torch.get_rng_state()
        with self._batch_mode:
            outputs = original(called, *sharded_args, **sharded_kwargs)
        if generator is not None and _undo_if_drawn(generator, attributes):
            # It drew no random numbers when it was probed; something in it has changed since.
            self._batch_mode = _NO_MODE
            state.plans.forget()
            return self._call_outermost(original, module, args, kwargs)
        return _gather(outputs, plan, part, state.on_backward)

    def _call_unsharded(
        self,
        original: Callable[..., Any],
        module: nn.Module,
        state: _NetworkState,
        args: Any,
        kwargs: Any,
    ) -> Any:
        """Compute all rows on every rank; warn of it the first time."""
        try:
            outputs = original(module, *args, **kwargs)
        except Exception:
            # A faulty call says nothing about the calls that follow.
            state.plans.forget()
            raise
        if state.plans.reason and not state.warned:
            state.warned = True
            warn(
                f"calls of {type(_uncompiled(module)).__name__} are not sharded: "
                f"{state.plans.reason}. Every rank computes all rows of them: the results are "
                "exact, but these calls are no faster than on one rank"
            )
        for leaf in flatten(outputs)[0]:
            notify_backward(leaf, state.on_backward)
        return outputs

    def _register(self, network: nn.Module, state: _NetworkState) -> bool:
        """Have the network's gradients averaged; return whether its weights exist and are its own.

        Weights that the program computes, as in meta-learning, get their gradients where they are
        computed. Those of lazy modules come with the first call, in which every rank computes all
        rows.
        """
        structure = state.structure
        if structure is None or not structure.is_current():
            structure, state.trained = Structure(network), []
        trained = structure.trained()
        if trained != state.trained:
            state.structure = None
            if any(is_lazy(p) or not p.is_leaf for p in structure.parameters):
                return False
            state.structure, state.trained = structure, trained
            state.on_backward = self._gradients.register(
                list(compress(structure.parameters, trained))
            )
        return True

    def _check_consistency(
        self, network: nn.Module, state: _NetworkState, leaves: list[Any]
    ) -> None:
        state.calls += 1
        if state.calls != state.next_check:
            return
        state.next_check *= _CHECK_INTERVAL_FACTOR
        inputs = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
        tensors = {"inputs": inputs, "weights": _tensors(network)}
        context = f"call {state.calls} of {type(network).__name__}"
        require_consistency(context, tensors, self._comm)


def _flatten_arguments(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[Any], Any]:
    """Return the leaves of the inputs and their nesting: None for tensors given by position."""
    if not kwargs and all(type(value) is torch.Tensor for value in args):
        return list(args), None
    return flatten((args, kwargs))


def _gather(outputs: Any, plan: Plan, part: Part, on_backward: OnBackward) -> Any:
    """Return the outputs for all rows, from each rank's for its own."""
    if type(outputs) is torch.Tensor and plan.outputs[0] is not None:
        return joined(outputs, part, plan.outputs[0], on_backward)
    leaves, nesting = flatten(outputs)
    gathered = [
        notify_backward(leaf, on_backward)
        if axis is None
        else joined(leaf, part, axis, on_backward)
        for leaf, axis in zip(leaves, plan.outputs, strict=True)
    ]
    return unflatten(gathered, nesting)


def _undo_if_drawn(generator: torch.Tensor, attributes: Attributes) -> bool:
    """Restore torch's generator and the modules' attributes if random numbers were drawn."""
    if torch.equal(generator, torch.get_rng_state()):
        return False
    torch.set_rng_state(generator)
    attributes.restore()
    return True


def _uncompiled(module: nn.Module) -> nn.Module:
    inner = module._modules
    # What a scripted module has in place of this dict has no get().
    if "_orig_mod" in inner:
        return inner["_orig_mod"]  # type: ignore[return-value]
    return module


def _tensors(network: nn.Module) -> list[torch.Tensor]:
    """Return the parameters and buffers that have values already."""
    tensors: Iterator[torch.Tensor] = (*network.parameters(), *network.buffers())  # type: ignore[assignment]
    return [tensor.detach() for tensor in tensors if not is_lazy(tensor)]
