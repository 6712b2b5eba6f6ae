"""A network's modules and parameters, listed on the first call and checked quickly after that."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from operator import attrgetter, is_, methodcaller
from typing import Any

from torch import nn

from matexapps.sharding.snapshot import Attributes

_requires_grad = attrgetter("requires_grad")
_training = attrgetter("training")
_values = methodcaller("values")


class Structure:
    """What a network is made of. This does not keep the network itself alive.

    Parameters
    ----------
    network : nn.Module

    Attributes
    ----------
    parameters : list of nn.Parameter
    """

    def __init__(self, network: nn.Module) -> None:
        modules = list(network.modules())
        self._inner_modules = modules[1:]
        self._user_modules = list(filter(_is_user_module, modules[1:]))
        self.parameters = list(network.parameters())
        self._inner_hooks = [module._forward_hooks for module in modules[1:]]
        self._tables: list[dict[str, Any]] = [
            table for module in modules for table in (module._parameters, module._modules)
        ]
        self._sizes = list(map(len, self._tables))
        self._filled_tables = [table for table in self._tables if len(table)]
        self._members = list(self._current_members())

    def is_current(self) -> bool:
        """Whether the network still consists of the same modules and parameters."""
        return list(map(len, self._tables)) == self._sizes and all(
            map(is_, self._current_members(), self._members)
        )

    def trained(self) -> list[bool]:
        """Return for each parameter whether it is trained."""
        return list(map(_requires_grad, self.parameters))

    def modes(self, network: nn.Module) -> tuple[Any, ...]:
        """Return which modules are in training mode, and how many forward hooks each has."""
        outer = network.training, len(network._forward_hooks)
        return *outer, *map(_training, self._inner_modules), *map(len, self._inner_hooks)

    def user_attributes(self, network: nn.Module) -> Attributes:
        """Return the attributes of the modules of the user's own classes."""
        inner = self._user_modules
        return Attributes([network, *inner] if _is_user_module(network) else inner)

    def _current_members(self) -> Iterator[Any]:
        return chain.from_iterable(map(_values, self._filled_tables))


def _is_user_module(module: nn.Module) -> bool:
    return not type(module).__module__.startswith("torch.")
