"""What networks take and give, as leaves: also inside dataclasses and kinds of dict.

``torch.utils._pytree`` looks into lists, tuples and dicts. Here an object of a dataclass, of a
subclass of dict or of UserDict that holds tensors is first taken apart into a shell and its
contents, so that it can be made again around other contents.
"""

from __future__ import annotations

import copy
from collections import UserDict
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten

PLAIN = (bool, int, float, complex, str, bytes, type(None))


class Shell:
    """An object that held some of the leaves.

    Parameters
    ----------
    thing : object

    Attributes
    ----------
    kind : type
        Its class. Shells of one class are equal.
    """

    def __init__(self, thing: Any) -> None:
        self._thing = thing
        self.kind: Any = type(thing)

    def around(self, contents: dict[Any, Any]) -> Any:
        """Return such an object with other contents."""
        if isinstance(self._thing, dict):
            # Its class may want arguments, and its copy() may give a plain dict.
            thing = self.kind.__new__(self.kind)
            vars(thing).update(vars(self._thing))
        else:
            thing = copy.copy(self._thing)
        names = _field_names(thing)
        for name, value in contents.items():
            if isinstance(thing, (dict, UserDict)) and name in self._thing:
                thing[name] = value
            if name in names:
                # Past what a frozen class refuses.
                object.__setattr__(thing, name, value)
        return thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Shell) and other.kind is self.kind

    def __hash__(self) -> int:
        return hash(self.kind)


def flatten(tree: Any) -> tuple[list[Any], Any]:
    """Return the leaves of ``tree``, shells among them, and how they are nested."""
    leaves, structure = tree_flatten(tree)
    opened = [_opened(leaf, ()) for leaf in leaves]
    if all(map(_same, opened, leaves)):
        return leaves, structure
    return tree_flatten(tree_unflatten(opened, structure))


def unflatten(leaves: list[Any], structure: Any) -> Any:
    """Undo :func:`flatten`, with the same leaves or others."""
    tree = tree_unflatten(leaves, structure)
    return _closed(tree) if any(type(leaf) is Shell for leaf in leaves) else tree


def _opened(leaf: Any, around: tuple[Any, ...]) -> Any:
    contents = _contents(leaf)
    if contents is None or any(map(_same, around, [leaf] * len(around))):
        return leaf
    inside = tree_map(lambda value: _opened(value, (*around, leaf)), contents)
    if not any(isinstance(value, torch.Tensor) for value in tree_leaves(inside)):
        return leaf
    return Shell(leaf), inside


def _closed(tree: Any) -> Any:
    return tree_map(
        lambda node: node[0].around(_closed(node[1])) if _is_open(node) else node,
        tree,
        is_leaf=_is_open,
    )


def _is_open(node: Any) -> bool:
    return type(node) is tuple and len(node) == 2 and type(node[0]) is Shell


def _contents(thing: Any) -> dict[Any, Any] | None:
    """Return what an object holds by name, None for one that is not looked into."""
    if isinstance(thing, (*PLAIN, torch.Tensor, type, nn.Module)):
        return None
    names = _field_names(thing)
    if not names and not isinstance(thing, (dict, UserDict)):
        return None
    contents = {name: getattr(thing, name) for name in names if hasattr(thing, name)}
    return contents | dict(thing) if isinstance(thing, (dict, UserDict)) else contents


def _field_names(thing: Any) -> list[str]:
    return [field.name for field in fields(thing)] if is_dataclass(thing) else []


def _same(one: Any, other: Any) -> bool:
    return one is other
