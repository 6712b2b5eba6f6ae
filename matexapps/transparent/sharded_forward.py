"""Calls of networks, each rank computing its part of the rows."""

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
from torch.utils.hooks import RemovableHandle

from matexapps.comm.communicator import Communicator
from matexapps.sharding.autograd import Told, cut, joined, tell_of
from matexapps.sharding.global_batch import ShardedBatch
from matexapps.sharding.shard import Part
from matexapps.train.own_sharing import trainer_at_work
from matexapps.transparent.consistency import require_consistency, synchronize_weights
from matexapps.transparent.gradients import GradientAverager
from matexapps.transparent.hooks import watched_by_the_program
from matexapps.transparent.probing.pytree import PLAIN, Shell, flatten, unflatten
from matexapps.transparent.probing.shardability import (
    Plan,
    find_plan,
    has_numbers,
    input_axes,
    nested,
    rows_of,
)
from matexapps.transparent.probing.structure import Structure
from matexapps.transparent.telling import warn

_COMPARED_AGAIN = 8
_KEPT_PARTS = 64
_UNTRIED: Any = object()


@dataclass
class _Known:
    """What was found out about a network."""

    plans: dict[Any, Plan | None] = field(default_factory=dict)
    structure: Structure | None = None
    trained: list[bool] = field(default_factory=list)
    told: Told = lambda: None
    calls: int = 0
    compared_at: int = 1
    why_not: str = ""
    warned: bool = False
    hooks_made: int = -1
    watched: str = ""


class ShardedForward:
    """Shares out the outermost calls of networks that have parameters.

    Each kind of call is tried once (:mod:`matexapps.transparent.probing.shardability`). What
    cannot be sharded is computed by every rank alike, which is as exact, and as slow as one rank.

    Parameters
    ----------
    comm : Communicator
    gradients : GradientAverager
        Told of the parameters of each network.
    """

    def __init__(self, comm: Communicator, gradients: GradientAverager) -> None:
        self._comm, self._gradients = comm, gradients
        self._networks: WeakKeyDictionary[nn.Module, _Known] = WeakKeyDictionary()
        self.inside = False
        self._acting: AbstractContextManager[Any] = nullcontext()
        self._part = lru_cache(_KEPT_PARTS)(lambda rows, axis: Part(rows, comm, axis))

    def call(self, original: Callable[..., Any], module: nn.Module, args: Any, kwargs: Any) -> Any:
        """Call ``module`` as the program asked for, on this rank's rows if that is right."""
        if not (module._parameters or module._modules) or trainer_at_work():
            return original(module, *args, **kwargs)
        self.inside = True
        try:
            return self._outermost(original, module, args, kwargs)
        finally:
            self.inside = False

    def recomputed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``function``, to be called once more in the backward pass as it is called now."""
        if not self.inside:
            return function
        acting = self._acting

        def again(*args: Any, **kwargs: Any) -> Any:
            if self.inside:
                return function(*args, **kwargs)
            self.inside = True
            try:
                with acting:
                    return function(*args, **kwargs)
            finally:
                self.inside = False

        return again

    def _outermost(
        self, original: Callable[..., Any], module: nn.Module, args: Any, kwargs: Any
    ) -> Any:
        leaves, structure = _flat(args, kwargs)
        if not has_numbers(leaves) or not _may_have_rows(args, kwargs):
            return original(module, *args, **kwargs)
        network = _uncompiled(module)
        known = self._networks.get(network)
        if known is None:
            if not _has_parameters(network):
                return original(module, *args, **kwargs)
            known = self._networks[network] = _Known()
            synchronize_weights(type(network).__name__, _state(network), self._comm)
        if not self._watch(network, known):
            return original(module, *args, **kwargs)
        known.calls += 1
        if known.calls == known.compared_at:
            known.compared_at *= _COMPARED_AGAIN
            self._require_alike(network, known.calls, leaves)
        told = known.told
        plan = self._plan(original, network, known, leaves, structure)
        if plan is None:
            return self._whole_call(original, module, network, known, args, kwargs)
        part = self._part(rows_of(leaves, plan.axis), plan.axis)
        here = [
            leaf if axis is None else cut(leaf, part, axis, told)
            for leaf, axis in zip(leaves, plan.inputs, strict=True)
        ]
        given, named = nested(here, structure)
        # Compiled code would not pass through what acts for all.
        called = network if plan.acts_for_all else module
        self._acting = ShardedBatch(part, plan.inner_axes) if plan.acts_for_all else nullcontext()
        assert known.structure is not None
        earlier = [] if plan.draws else known.structure.attributes(network)
        drawn = None if plan.draws else torch.get_rng_state()
        with self._acting:
            outputs = original(called, *given, **named)
        if drawn is not None and not torch.equal(drawn, torch.get_rng_state()):
            # It did not draw when it was tried; something in it has changed since.
            torch.set_rng_state(drawn)
            for owner, attributes in earlier:
                vars(owner).clear()
                vars(owner).update(attributes)
            known.plans.clear()
            return self._outermost(original, module, args, kwargs)
        if type(outputs) is torch.Tensor and plan.outputs[0] is not None:
            return joined(outputs, part, plan.outputs[0], told)
        leaves, structure = flatten(outputs)
        whole = [
            tell_of(leaf, told) if axis is None else joined(leaf, part, axis, told)
            for leaf, axis in zip(leaves, plan.outputs, strict=True)
        ]
        return unflatten(whole, structure)

    def _whole_call(
        self,
        original: Callable[..., Any],
        module: nn.Module,
        network: nn.Module,
        known: _Known,
        args: Any,
        kwargs: Any,
    ) -> Any:
        """Compute all rows on every rank, and warn of it once."""
        try:
            outputs = original(module, *args, **kwargs)
        except Exception:
            # A mistake of the program's tells nothing of calls without it.
            known.plans.clear()
            known.why_not = ""
            raise
        if known.why_not and not known.warned:
            known.warned = True
            warn(
                f"calls of {type(network).__name__} are not shared out: {known.why_not}; every "
                "rank computes all of them, which is right, and no faster than one rank"
            )
        for leaf in flatten(outputs)[0]:
            tell_of(leaf, known.told)
        return outputs

    def _watch(self, network: nn.Module, known: _Known) -> bool:
        """Have gradients averaged; return whether the network's weights are there and its own.

        Those that the program computes, as in meta learning, get their gradients there, and those
        of lazy modules come with the first call, which every rank computes whole.
        """
        structure = known.structure
        if structure is None or not structure.holds():
            structure, known.trained = Structure(network), []
        trained = structure.trained()
        if trained != known.trained:
            known.structure = None
            if any(is_lazy(p) or not p.is_leaf for p in structure.parameters):
                return False
            known.structure, known.trained = structure, trained
            known.told = self._gradients.watch(list(compress(structure.parameters, trained)))
        return True

    def _plan(
        self,
        original: Callable[..., Any],
        network: nn.Module,
        known: _Known,
        leaves: list[Any],
        structure: Any,
    ) -> Plan | None:
        fewest = self._comm.world_size
        if 0 < rows_of(leaves, 0) < fewest:
            return None
        assert known.structure is not None
        kind: Any = (
            structure,
            tuple(map(_leaf_kind, leaves)),
            torch.is_grad_enabled(),
            known.structure.state(network),
            self._hooks(network, known),
        )
        plan = self._known_plan(original, network, known, leaves, structure, kind)
        if plan is None:
            return None
        rows = rows_of(leaves, plan.axis)
        if plan.acts_for_all:
            # Which tensors inside hold rows is told by their shapes, so each number of rows counts.
            kind = (kind, rows)
            plan = self._known_plan(original, network, known, leaves, structure, kind)
        if plan is not None and rows >= fewest:
            axes = input_axes(leaves, plan.axis, fewest)
            if axes != plan.inputs:
                # Another input has the rows now, or one that had them has one for all.
                kind = (kind, axes)
                plan = self._known_plan(original, network, known, leaves, structure, kind)
        return None if rows < fewest else plan

    def _hooks(self, network: nn.Module, known: _Known) -> str:
        """Return what :func:`watched_by_the_program` does, looked at again after new hooks."""
        made = RemovableHandle.next_id
        if made != known.hooks_made:
            known.hooks_made, known.watched = made, watched_by_the_program(network)
        return known.watched

    def _known_plan(
        self,
        original: Callable[..., Any],
        network: nn.Module,
        known: _Known,
        leaves: list[Any],
        structure: Any,
        kind: Any,
    ) -> Plan | None:
        plan = known.plans.get(kind, _UNTRIED)
        if plan is not _UNTRIED:
            return plan
        plan, reason = None, known.watched
        if not reason:
            plan, reason = find_plan(original, network, leaves, structure, self._comm)
        known.plans[kind], known.why_not = plan, reason
        return plan

    def _require_alike(self, network: nn.Module, calls: int, leaves: list[Any]) -> None:
        name = type(network).__name__
        inputs = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
        what = {"inputs": inputs, "weights": _state(network)}
        require_consistency(f"in call {calls} of {name}", what, self._comm)


def _flat(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[Any], Any]:
    """Return the leaves of the inputs, and how they are nested: None for plain tensors."""
    if not kwargs and all(type(value) is torch.Tensor for value in args):
        return list(args), None
    return flatten((args, kwargs))


def _may_have_rows(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    values = chain(args, kwargs.values())
    return any(not isinstance(value, PLAIN) for value in values)


def _uncompiled(module: nn.Module) -> nn.Module:
    inner = module._modules
    # What stands here for the dict of a scripted module has no get().
    if "_orig_mod" in inner:
        return inner["_orig_mod"]  # type: ignore[return-value]
    return module


def _has_parameters(module: nn.Module) -> bool:
    return any(True for _ in module.parameters())


def _state(network: nn.Module) -> list[torch.Tensor]:
    tensors: Iterator[torch.Tensor] = (*network.parameters(), *network.buffers())  # type: ignore[assignment]
    return [tensor.detach() for tensor in tensors if not is_lazy(tensor)]


def _leaf_kind(leaf: Any) -> Any:
    if isinstance(leaf, torch.Tensor):
        return leaf.dim(), leaf.dtype
    if isinstance(leaf, Shell):
        return leaf.kind
    return leaf if isinstance(leaf, (bool, int, str, type(None))) else type(leaf)
