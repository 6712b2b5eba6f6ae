"""The leaves of what networks take and return, also inside dataclasses and kinds of dict.

``torch.utils._pytree`` looks into lists, tuples and dicts. Here an object of a dataclass, of a
subclass of dict, or of UserDict that holds tensors is first split into a shell and its contents, so
that it can be rebuilt around other contents.
"""

from __future__ import annotations

import copy
from collections import UserDict
from dataclasses import fields, is_dataclass
from operator import is_
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten

from matexapps.sharding.snapshot import PLAIN


class Shell:
    """An object that held some of the leaves. Shells of the same class are equal.

    Parameters
    ----------
    value : object

    Attributes
    ----------
    kind : type
        The object's class.
    """

    def __init__(self, value: Any) -> None:
        self._value = value
        self.kind: Any = type(value)

    def rebuild(self, contents: dict[Any, Any]) -> Any:
        """Return a copy of the object with other contents, given by name."""
        if isinstance(self._value, dict):
            # Its class may want arguments, and its copy() may give a plain dict.
            value = self.kind.__new__(self.kind)
            vars(value).update(vars(self._value))
        else:
            value = copy.copy(self._value)
        names = _field_names(value)
        for name, content in contents.items():
            if isinstance(value, (dict, UserDict)) and name in self._value:
                value[name] = content
            if name in names:
                # Works for frozen dataclasses too.
                object.__setattr__(value, name, content)
        return value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Shell) and other.kind is self.kind

    def __hash__(self) -> int:
        return hash(self.kind)


def flatten(tree: Any) -> tuple[list[Any], Any]:
    """Return the leaves of ``tree``, shells among them, and how they are nested."""
    leaves, nesting = tree_flatten(tree)
    opened = [_open(leaf, ()) for leaf in leaves]
    if all(map(is_, opened, leaves)):
        return leaves, nesting
    return tree_flatten(tree_unflatten(opened, nesting))


def unflatten(leaves: list[Any], nesting: Any) -> Any:
    """Undo :func:`flatten`, with the same leaves or others."""
    tree = tree_unflatten(leaves, nesting)
    return _close(tree) if any(type(leaf) is Shell for leaf in leaves) else tree


def _open(leaf: Any, parents: tuple[Any, ...]) -> Any:
    """Return an object that holds tensors as its shell and contents, anything else as it is."""
    contents = _contents(leaf)
    if contents is None or any(parent is leaf for parent in parents):
        return leaf
    opened = tree_map(lambda value: _open(value, (*parents, leaf)), contents)
    if not any(isinstance(value, torch.Tensor) for value in tree_leaves(opened)):
        return leaf
    return Shell(leaf), opened


def _close(tree: Any) -> Any:
    return tree_map(
        lambda node: node[0].rebuild(_close(node[1])) if _is_opened(node) else node,
        tree,
        is_leaf=_is_opened,
    )


def _is_opened(node: Any) -> bool:
    return type(node) is tuple and len(node) == 2 and type(node[0]) is Shell


def _contents(value: Any) -> dict[Any, Any] | None:
    """Return what an object holds, by name; None for a kind of object that is not searched."""
    if isinstance(value, (*PLAIN, torch.Tensor, type, nn.Module)):
        return None
    names = _field_names(value)
    if not names and not isinstance(value, (dict, UserDict)):
        return None
    contents = {name: getattr(value, name) for name in names if hasattr(value, name)}
    return contents | dict(value) if isinstance(value, (dict, UserDict)) else contents


def _field_names(value: Any) -> list[str]:
    return [field.name for field in fields(value)] if is_dataclass(value) else []
