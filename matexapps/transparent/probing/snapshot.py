"""Whatever a call of a network may change, saved so that a trial call leaves no trace."""

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

from matexapps.transparent.probing.pytree import PLAIN

_CONTAINERS = (dict, list, set, deque)


class Snapshot:
    """The state of a network and of all random number generators, to be restored later.

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
        self._generators = generator_states()

    def changes(self) -> dict[str, Any]:
        """Return the tensors, numbers and texts that have changed since, by their position."""
        changed: dict[str, Any] = {
            name: tensor.detach().clone()
            for name, tensor, content in self._tensors
            if not _equal(tensor, content)
        }
        for number, (module, before) in enumerate(
            zip(self._modules, self._attributes, strict=True)
        ):
            position = f"{number} {type(module).__name__}"
            for name, value in vars(module).items():
                if value is not before.get(name, self) and not isinstance(value, _CONTAINERS):
                    changed |= _comparable_leaves(f"{position}.{name}", value)
        for number, (container, items) in enumerate(self._containers):
            if not _same_items(container, items):
                changed |= _comparable_leaves(f"container {number}", container)
        return changed

    def differences(self, changes: dict[str, Any], expected: dict[str, Any]) -> list[str]:
        """Return the positions at which two :meth:`changes` differ by more than rounding."""
        # Converged running statistics may change by rounding in only one of the two.
        before = {name: content for name, _, content in self._tensors}
        changes, expected = before | changes, before | expected
        return sorted(
            name
            for name in changes.keys() | expected.keys()
            if name not in changes
            or name not in expected
            or not values_close(changes[name], expected[name])
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
        for container, items in self._containers:
            if not _same_items(container, items):
                _refill(container, items)
        with torch.no_grad():
            for _, tensor, content in self._tensors:
                # Only where needed: autograd refuses a saved tensor that was written to since.
                if not _equal(tensor, content):
                    tensor.copy_(content)
        set_generator_states(self._generators)


def generator_states() -> list[Any]:
    """Return the states of the global generators of random, numpy and torch."""
    numpy_state = np.random.get_state()  # noqa: NPY002  # programs use numpy's global generator
    states: list[Any] = [random.getstate(), numpy_state, torch.get_rng_state()]
    if torch.cuda.is_initialized():
        states += [torch.cuda.get_rng_state()]
    return states


def set_generator_states(states: list[Any]) -> None:
    """Set the global generators of random, numpy and torch."""
    random.setstate(states[0])
    np.random.set_state(states[1])  # noqa: NPY002
    torch.set_rng_state(states[2])
    for state in states[3:]:
        torch.cuda.set_rng_state(state)


def values_close(value: Any, expected: Any) -> bool:
    """Whether two values are equal: tensors up to rounding, anything else exactly."""
    if isinstance(value, torch.Tensor) and isinstance(expected, torch.Tensor):
        if value.shape != expected.shape or value.dtype != expected.dtype:
            return False
        # Rounding depends on how many rows are multiplied at a time.
        return torch.allclose(value, expected, rtol=1e-3, atol=1e-5, equal_nan=True)
    if isinstance(value, np.ndarray) and isinstance(expected, np.ndarray):
        return bool(np.array_equal(value, expected))
    if isinstance(value, (list, tuple)) and isinstance(expected, (list, tuple)):
        return len(value) == len(expected) and all(map(values_close, value, expected))
    try:
        return bool(type(value) is type(expected) and value == expected)
    except (RuntimeError, ValueError):
        # Tensors or arrays inside objects of the user's own classes.
        return False


def _equal(tensor: torch.Tensor, content: torch.Tensor) -> bool:
    # Version counters do not show every change: batch normalization writes past them.
    return torch.equal(tensor.detach(), content)


def _comparable_leaves(position: str, value: Any) -> dict[str, Any]:
    def leaves() -> Iterator[tuple[str, Any]]:
        for number, leaf in enumerate(tree_leaves(value)):
            if isinstance(leaf, torch.Tensor):
                yield f"{position} {number}", leaf.detach()
            elif isinstance(leaf, PLAIN):
                yield f"{position} {number}", leaf

    return dict(leaves())


def _same_items(container: Any, before: Any) -> bool:
    if len(container) != len(before):
        return False
    if isinstance(container, dict):
        return all(
            key is other and container[key] is before[other]
            for key, other in zip(container, before, strict=True)
        )
    return all(item is other for item, other in zip(container, before, strict=True))


def _refill(container: Any, items: Any) -> None:
    container.clear()
    if isinstance(container, (dict, set)):
        container.update(items)
    else:
        container.extend(items)
