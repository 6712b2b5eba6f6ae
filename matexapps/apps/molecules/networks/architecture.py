"""What a network is made of, as plain values that go into a model's folder."""

from __future__ import annotations

from dataclasses import dataclass

from matexapps.errors import TrainingError, did_you_mean

NETWORKS: dict[str, tuple[str, ...]] = {
    "combined": ("graph", "properties"),
    "graph": ("graph",),
    "fingerprint": ("fingerprint", "descriptors"),
    "smiles": ("tokens",),
    "image": ("image",),
}
"""Names of the networks, and the features that each reads."""

TASKS = ("regression", "classification")
"""What kinds of targets a network may have."""


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
        Networks of the ensemble; they differ in their initial weights.
    width : int
        Of a message between atoms.
    depth : int
        Bonds that messages travel.
    head : int
        Hidden width of what maps a molecule's vector to values.
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

    def inputs(self) -> list[tuple[str, int, str]]:
        """Return the name of each input, its structure's place in a row, and its featuriser."""
        return [
            (feature if place == 0 else f"{feature}_{place + 1}", place, feature)
            for place in range(self.components)
            for feature in self.features
        ]

    @property
    def features(self) -> tuple[str, ...]:
        """The featurisers that the network needs."""
        return NETWORKS[self.network]
