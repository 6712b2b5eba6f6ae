"""Whatever a call of a network may change, saved so that a trial call leaves no trace."""

from __future__ import annotations

import copy
import io
import random
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.utils._pytree import tree_leaves

RandomState = dict[str, torch.Tensor]
PLAIN = (bool, int, float, complex, str, bytes, type(None))

_CONTAINERS = (dict, list, set, deque)
# Rounding depends on how many rows are multiplied at once.
_ROUNDING = 1e-3, 1e-5
_ROUNDING_OF_HALF = 5e-2, 5e-2


class Attributes:
    """The attributes of modules, to be restored later; not the contents of their values.

    Parameters
    ----------
    modules : iterable of nn.Module
    """

    def __init__(self, modules: Iterable[nn.Module] = ()) -> None:
        self._saved = [(module, vars(module).copy()) for module in modules]

    def changed(self) -> Iterator[tuple[str, Any]]:
        """Yield the attributes that were added or replaced, by their position."""
        for number, (module, before) in enumerate(self._saved):
            for name, value in vars(module).items():
                if value is not before.get(name, self):
                    yield f"{number} {type(module).__name__}.{name}", value

    def restore(self) -> None:
        """Undo every change."""
        for module, before in self._saved:
            if not _same_items(vars(module), before):
                vars(module).clear()
                vars(module).update(before)


class Snapshot:
    """The state of a network and of all random number generators, to be restored later.

    It holds parameters, buffers, attributes, and the containers and tensors in attributes. Objects
    of other classes are not copied.

    Parameters
    ----------
    network : nn.Module
    """

    def __init__(self, network: nn.Module) -> None:
        self._attributes = Attributes(network.modules())
        values = [value for module in network.modules() for value in vars(module).values()]
        inner = list(_inner_values(values))
        self._containers = [
            (value, copy.copy(value)) for value in inner if isinstance(value, _CONTAINERS)
        ]
        named = [
            (name, tensor)
            for name, tensor in (*network.named_parameters(), *network.named_buffers())
            if not is_lazy(tensor)
        ]
        names = {id(tensor) for _, tensor in named}
        others = [v for v in inner if _is_plain_tensor(v) and id(v) not in names]
        named += [(f"tensor {number}", tensor) for number, tensor in enumerate(others)]
        self._tensors = [(name, tensor, tensor.detach().clone()) for name, tensor in named]
        self._generators = generator_states()

    def changes(self) -> dict[str, Any]:
        """Return the tensors, numbers and texts that have changed since, by their position."""
        changed: dict[str, Any] = {
            name: tensor.detach().clone()
            for name, tensor, content in self._tensors
            if not _equal(tensor, content)
        }
        for position, value in self._attributes.changed():
            if not isinstance(value, _CONTAINERS):
                changed |= _comparable_leaves(position, value)
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

    def drawn_generators(self) -> list[str]:
        """Return whose generators have drawn numbers since: Python's, numpy's or torch's."""
        states = generator_states()
        return [
            name
            for name, before in self._generators.items()
            if not values_close(states[name], before)
        ]

    def restore(self) -> None:
        """Undo every change."""
        self._attributes.restore()
        for container, items in self._containers:
            if not _same_items(container, items):
                _refill(container, items)
        with torch.no_grad():
            for _, tensor, content in self._tensors:
                # Only where needed: autograd refuses a saved tensor that was written to since.
                if not _equal(tensor, content):
                    tensor.copy_(content)
        set_generator_states(self._generators)


def random_state() -> RandomState:
    """Return the state of torch's random number generators on this rank."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_initialized():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def set_random_state(states: RandomState) -> None:
    """Bring torch's random number generators back to a state."""
    torch.set_rng_state(states["cpu"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])


def generator_states() -> dict[str, Any]:
    """Return the states of the global generators of Python, numpy and torch."""
    numpy_state = np.random.get_state()  # noqa: NPY002  # programs use numpy's global generator
    return {"Python": random.getstate(), "numpy": numpy_state, "torch": random_state()}


def set_generator_states(states: dict[str, Any]) -> None:
    """Set the global generators of Python, numpy and torch."""
    random.setstate(states["Python"])
    np.random.set_state(states["numpy"])  # noqa: NPY002
    set_random_state(states["torch"])


@contextmanager
def silenced() -> Iterator[io.StringIO]:
    """Keep back what is printed inside, and ignore warnings."""
    text = io.StringIO()
    with warnings.catch_warnings(), redirect_stdout(text), redirect_stderr(text):
        warnings.simplefilter("ignore")
        yield text


def values_close(value: Any, expected: Any, *, half: bool = False) -> bool:
    """Whether two values are equal: tensors up to rounding, anything else exactly.

    Parameters
    ----------
    value, expected : object
    half : bool
        Whether numbers of half size are in between, so that rounding is rough.
    """
    if isinstance(value, torch.Tensor) and isinstance(expected, torch.Tensor):
        if value.shape != expected.shape or value.dtype != expected.dtype:
            return False
        relative, absolute = _ROUNDING_OF_HALF if half else _ROUNDING
        return torch.allclose(value, expected, rtol=relative, atol=absolute, equal_nan=True)
    if isinstance(value, np.ndarray) and isinstance(expected, np.ndarray):
        return bool(np.array_equal(value, expected))
    if isinstance(value, (list, tuple)) and isinstance(expected, (list, tuple)):
        return len(value) == len(expected) and all(map(values_close, value, expected))
    if isinstance(value, dict) and isinstance(expected, dict):
        return value.keys() == expected.keys() and all(
            values_close(value[name], expected[name]) for name in value
        )
    try:
        return bool(type(value) is type(expected) and value == expected)
    except (RuntimeError, ValueError):
        # Tensors or arrays inside objects of the user's own classes.
        return False


def _equal(tensor: torch.Tensor, content: torch.Tensor) -> bool:
    # Version counters do not show every change: batch normalization writes past them.
    return torch.equal(tensor.detach(), content)


def _inner_values(values: Iterable[Any]) -> Iterator[Any]:
    """Yield the containers and tensors among some values, and those inside these containers."""
    waiting, seen = list(values), set[int]()
    while waiting:
        value = waiting.pop()
        if id(value) in seen or not isinstance(value, (*_CONTAINERS, tuple, torch.Tensor)):
            continue
        seen.add(id(value))
        yield value
        if not isinstance(value, torch.Tensor):
            waiting += value.values() if isinstance(value, dict) else value


def _is_plain_tensor(value: Any) -> bool:
    """Whether a value is a tensor whose content can be compared and copied."""
    is_tensor = type(value) in (torch.Tensor, nn.Parameter)
    return is_tensor and value.layout is torch.strided and not value.is_meta


def _comparable_leaves(position: str, value: Any) -> dict[str, Any]:
    leaves = enumerate(tree_leaves(value))
    return {
        f"{position} {number}": leaf.detach() if isinstance(leaf, torch.Tensor) else leaf
        for number, leaf in leaves
        if isinstance(leaf, (torch.Tensor, *PLAIN))
    }


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
