"""A network's modules and parameters, found once and looked at quickly from then on."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from operator import attrgetter, is_, methodcaller
from typing import Any

from torch import nn

_requires_grad = attrgetter("requires_grad")
_training = attrgetter("training")
_values = methodcaller("values")


def _is_programs_own(module: nn.Module) -> bool:
    return not type(module).__module__.startswith("torch.")


class Structure:
    """What a network is made of; it does not keep the network itself alive.

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
        self._programs_own = list(filter(_is_programs_own, modules[1:]))
        self.parameters = list(network.parameters())
        self._inner_hooks = [module._forward_hooks for module in modules[1:]]
        self._places: list[dict[str, Any]] = [
            place for module in modules for place in (module._parameters, module._modules)
        ]
        self._sizes = list(map(len, self._places))
        self._filled = [place for place in self._places if len(place)]
        self._members = list(self._present())

    def _present(self) -> Iterator[Any]:
        return chain.from_iterable(map(_values, self._filled))

    def attributes(self, network: nn.Module) -> list[tuple[nn.Module, dict[str, Any]]]:
        """Return the modules of the program's own classes, and what each holds, to go back to."""
        own = self._programs_own
        modules = [network, *own] if _is_programs_own(network) else own
        return [(module, vars(module).copy()) for module in modules]

    def holds(self) -> bool:
        """Whether the network is still made of the same modules and parameters."""
        return list(map(len, self._places)) == self._sizes and all(
            map(is_, self._present(), self._members)
        )

    def trained(self) -> list[bool]:
        """Return which parameters are trained."""
        return list(map(_requires_grad, self.parameters))

    def state(self, network: nn.Module) -> tuple[Any, ...]:
        """Return which of its modules are in training, and how many forward hooks each has."""
        own = network.training, len(network._forward_hooks)
        return *own, *map(_training, self._inner_modules), *map(len, self._inner_hooks)
