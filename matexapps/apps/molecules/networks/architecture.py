"""The architecture of a network, as plain values that a model's folder stores."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, cycle, islice

from matexapps.errors import TrainingError, did_you_mean

NETWORKS: dict[str, tuple[tuple[str, ...], ...]] = {
    "combined": (("graph", "properties"), ("fingerprint", "descriptors")),
    "graph": (("graph",),),
    "fingerprint": (("fingerprint", "descriptors"),),
    "smiles": (("tokens",),),
    "image": (("image",),),
}
"""Networks by name, and the features that each kind of member reads."""

TASKS = ("regression", "classification")
"""Kinds of targets."""


@dataclass(frozen=True)
class Architecture:
    """Sizes of a network.

    Attributes
    ----------
    network : str
        One of :data:`NETWORKS`.
    task : str
        One of :data:`TASKS`.
    targets : int
    components : int
        Structures of a row.
    members : int
        Networks of the ensemble, alternating between kinds. Networks of one kind differ in their
        initial weights.
    width : int
        Size of a message between atoms.
    depth : int
        Number of bonds that messages travel.
    head : int
        Hidden width of the layers that map a molecule's vector to values.
    """

    network: str = "combined"
    task: str = "regression"
    targets: int = 1
    components: int = 1
    members: int = 2
    width: int = 192
    depth: int = 3
    head: int = 256

    def __post_init__(self) -> None:
        if self.network not in NETWORKS:
            raise TrainingError(
                f"unknown network {self.network!r}{did_you_mean(self.network, NETWORKS)}; use one "
                f"of {', '.join(NETWORKS)}"
            )
        if self.task not in TASKS:
            raise TrainingError(
                f"unknown task {self.task!r}{did_you_mean(self.task, TASKS)}; use one of "
                f"{', '.join(TASKS)}"
            )
        for name in ("targets", "components", "members", "width", "depth", "head"):
            if getattr(self, name) < 1:
                raise TrainingError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.members < (kinds := len(NETWORKS[self.network])):
            raise TrainingError(
                f"members={self.members}: a {self.network} network has members of {kinds} kinds; "
                f"give at least {kinds}, or take the network {NETWORKS[self.network][0][0]!r}"
            )

    def inputs(self, features: tuple[str, ...]) -> list[tuple[str, int, str]]:
        """Return each input's name, the position of its structure in a row, and its featurizer."""
        return [
            (feature if position == 0 else f"{feature}_{position + 1}", position, feature)
            for position in range(self.components)
            for feature in features
        ]

    @property
    def ensemble(self) -> list[tuple[str, ...]]:
        """The features that each member reads."""
        return list(islice(cycle(NETWORKS[self.network]), self.members))

    @property
    def features(self) -> tuple[str, ...]:
        """All features that the network reads."""
        return tuple(dict.fromkeys(chain.from_iterable(NETWORKS[self.network])))
