"""A network's modules and parameters, found once and looked at quickly from then on."""

from __future__ import annotations

from operator import is_
from typing import Any

from torch import nn


class Structure:
    """What a network is made of; it does not keep the network itself alive.

    Parameters
    ----------
    network : nn.Module

    Attributes
    ----------
    inner_modules : list of nn.Module
    parameters : list of nn.Parameter
    """

    def __init__(self, network: nn.Module) -> None:
        modules = list(network.modules())
        self.inner_modules = modules[1:]
        self.parameters = list(network.parameters())
        self._places: list[tuple[dict[str, Any], list[Any]]] = [
            (place, list(place.values()))
            for module in modules
            for place in (module._parameters, module._modules)
            if place
        ]
        self._empty: list[dict[str, Any]] = [
            place
            for module in modules
            for place in (module._parameters, module._modules)
            if not place
        ]

    def holds(self) -> bool:
        """Whether the network is still made of the same."""
        return not any(self._empty) and all(
            len(place) == len(found) and all(map(is_, place.values(), found))
            for place, found in self._places
        )
