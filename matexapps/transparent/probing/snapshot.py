"""What a call of a network may change, so that it can be tried without leaving a trace."""

from __future__ import annotations

import copy
import random
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.utils._pytree import tree_leaves

_CONTAINERS = (dict, list, set, deque)
_PLAIN = (bool, int, float, complex, str, bytes, type(None))


class Snapshot:
    """The state of a network and of all random number generators, to go back to.

    Parameters
    ----------
    network : nn.Module
    """

    def __init__(self, network: nn.Module) -> None:
        self._modules = list(network.modules())
        self._attributes = [dict(vars(module)) for module in self._modules]
        self._containers = [
            (value, copy.copy(value))
            for module in self._modules
            for value in vars(module).values()
            if isinstance(value, _CONTAINERS)
        ]
        self._tensors = [
            (name, tensor, tensor.detach().clone())
            for name, tensor in (*network.named_parameters(), *network.named_buffers())
            if not is_lazy(tensor)
        ]
        self._generators = generators()

    def changes(self) -> dict[str, Any]:
        """Return what has changed since, by where it is: tensors, numbers, text."""
        changed: dict[str, Any] = {
            name: tensor.detach().clone()
            for name, tensor, content in self._tensors
            if not _equal(tensor, content)
        }
        for number, (module, before) in enumerate(
            zip(self._modules, self._attributes, strict=True)
        ):
            where = f"{number} {type(module).__name__}"
            for name, value in vars(module).items():
                if value is not before.get(name, self) and not isinstance(value, _CONTAINERS):
                    changed |= _leaves(f"{where}.{name}", value)
        for number, (now, earlier) in enumerate(self._containers):
            if not _same_content(now, earlier):
                changed |= _leaves(f"container {number}", now)
        return changed

    def differing(self, one: dict[str, Any], other: dict[str, Any]) -> list[str]:
        """Return where two :meth:`changes` since then leave something else, beyond rounding."""
        # Statistics that have settled may change by a rounding error in one way, not in the other.
        before = {name: content for name, _, content in self._tensors}
        one, other = before | one, before | other
        return sorted(
            name
            for name in one.keys() | other.keys()
            if name not in one or name not in other or not same(one[name], other[name])
        )

    def restore(self) -> None:
        """Undo every change."""
        for module, before in zip(self._modules, self._attributes, strict=True):
            attributes = vars(module)
            if attributes.keys() != before.keys() or any(
                attributes[name] is not value for name, value in before.items()
            ):
                attributes.clear()
                attributes.update(before)
        for now, earlier in self._containers:
            if not _same_content(now, earlier):
                _refill(now, earlier)
        with torch.no_grad():
            for _, tensor, content in self._tensors:
                # Only where it must be: a graph that has saved a tensor minds its being written.
                if not _equal(tensor, content):
                    tensor.copy_(content)
        set_generators(self._generators)


def generators() -> list[Any]:
    """Return the states of the global generators of random, numpy and torch."""
    legacy = np.random.get_state()  # noqa: NPY002  # programs use it without naming one
    states: list[Any] = [random.getstate(), legacy, torch.get_rng_state()]
    if torch.cuda.is_initialized():
        states += [torch.cuda.get_rng_state()]
    return states


def set_generators(states: list[Any]) -> None:
    """Set the global generators of random, numpy and torch."""
    random.setstate(states[0])
    np.random.set_state(states[1])  # noqa: NPY002
    torch.set_rng_state(states[2])
    for state in states[3:]:
        torch.cuda.set_rng_state(state)


def same(one: Any, other: Any) -> bool:
    """Whether two values are alike, tensors and arrays up to rounding."""
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        if one.shape != other.shape or one.dtype != other.dtype:
            return False
        # Rounding depends on how many rows are multiplied at once.
        return torch.allclose(one, other, rtol=1e-3, atol=1e-5, equal_nan=True)
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return bool(np.array_equal(one, other))
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    try:
        return bool(type(one) is type(other) and one == other)
    except (RuntimeError, ValueError):
        # Tensors or arrays inside objects of the program's own.
        return False


def _equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    # Versions of tensors do not tell: batch normalization writes its statistics without one.
    return torch.equal(one.detach(), other)


def _leaves(where: str, value: Any) -> dict[str, Any]:
    return dict(_told(where, tree_leaves(value)))


def _told(where: str, leaves: list[Any]) -> Iterator[tuple[str, Any]]:
    for number, leaf in enumerate(leaves):
        if isinstance(leaf, torch.Tensor):
            yield f"{where} {number}", leaf.detach()
        elif isinstance(leaf, _PLAIN):
            yield f"{where} {number}", leaf


def _same_content(now: Any, before: Any) -> bool:
    if len(now) != len(before):
        return False
    if isinstance(now, dict):
        return all(a is b and now[a] is before[b] for a, b in zip(now, before, strict=True))
    return all(a is b for a, b in zip(now, before, strict=True))


def _refill(now: Any, before: Any) -> None:
    now.clear()
    if isinstance(now, (dict, set)):
        now.update(before)
    else:
        now.extend(before)
