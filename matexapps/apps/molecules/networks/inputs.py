"""From indices of molecules to the inputs of a batch.

A row of a data set holds the index of its molecule; the packed features of all molecules are
buffers of the network. Thus rows stay small, and graphs, which have no fixed shape, need no special
loader.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from matexapps.apps.molecules.featurizers import Arrays
from matexapps.apps.molecules.featurizers.rows import structure_indices
from matexapps.apps.molecules.networks.architecture import Architecture
from matexapps.apps.molecules.networks.batch_graph import BatchGraph, PackedGraphs
from matexapps.apps.molecules.networks.scaling import SCALED, ScaledColumns
from matexapps.errors import TrainingError

Inputs = dict[str, Tensor | BatchGraph]

MOST_MOLECULES = 2**24
"""Indices are float32, which represents no larger integers exactly."""

_TABLES = (*SCALED, "fingerprint", "tokens", "token_count", "token_start", "image")


class MoleculeInputs(nn.Module):
    """The features of all molecules, and batches of them.

    Parameters
    ----------
    architecture : Architecture
    """

    structure_index: Tensor
    properties: Tensor
    descriptors: Tensor
    fingerprint: Tensor
    tokens: Tensor
    token_count: Tensor
    token_start: Tensor
    image: Tensor

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.names = architecture.features
        self._inputs = architecture.inputs(architecture.features)
        self.scaled = nn.ModuleDict(
            {
                name: ScaledColumns(SCALED[feature])
                for name, _, feature in self._inputs
                if feature in SCALED
            }
        )

    def set_features(self, features: Arrays, molecules: int) -> None:
        """Replace the features by those of other molecules.

        With several structures in a row, they include
        :data:`~matexapps.apps.molecules.featurizers.rows.STRUCTURE_INDEX`. Features are not in the
        network's state dict, and so not in checkpoints.
        """
        if molecules > MOST_MOLECULES:
            raise TrainingError(
                f"a network holds up to {MOST_MOLECULES:,} molecules at once, got {molecules:,}: "
                "use fewer"
            )
        tensors = {name: torch.from_numpy(array) for name, array in features.items()}
        self.register_buffer(
            "structure_index",
            torch.from_numpy(structure_indices(features, molecules)),
            persistent=False,
        )
        if "graph" in self.names:
            self.graphs = PackedGraphs(tensors)
        if "tokens" in self.names:
            tensors["token_count"] = tensors["token_count"].long()
            tensors["token_start"] = tensors["token_count"].cumsum(0) - tensors["token_count"]
        for name in _TABLES:
            if name in tensors:
                self.register_buffer(name, tensors[name], persistent=False)

    def adapt(self, train: NDArray[np.int64]) -> None:
        """Set the scale of computed columns from the molecules with these indices."""
        structures = self.structure_index[torch.from_numpy(train)]
        for name, position, feature in self._inputs:
            if name in self.scaled:
                scaled = self.scaled[name]
                assert isinstance(scaled, ScaledColumns)
                scaled.adapt(getattr(self, feature)[structures[:, position]])

    def forward(self, indices: Tensor) -> Inputs:
        """Return the inputs of the molecules with these indices, by their names."""
        structures = self.structure_index[indices]
        return {
            name: self._input(name, feature, structures[:, position])
            for name, position, feature in self._inputs
        }

    def _input(self, name: str, feature: str, structures: Tensor) -> Tensor | BatchGraph:
        if feature == "graph":
            graph: BatchGraph = self.graphs(structures)
            return graph
        if name in self.scaled:
            scaled: Tensor = self.scaled[name](getattr(self, feature)[structures])
            return scaled
        if feature == "fingerprint":
            return self.fingerprint[structures].float().log1p()
        if feature == "tokens":
            return self._padded_tokens(structures)
        return self.image[structures].float() / 100

    def _padded_tokens(self, structures: Tensor) -> Tensor:
        """Return characters counted from 1, padded with 0, shape (molecules, longest)."""
        count = self.token_count[structures]
        longest = int(count.max()) if len(structures) else 0
        position = torch.arange(longest, device=structures.device)
        inside = position < count[:, None]
        source = (self.token_start[structures][:, None] + position).where(inside, 0)
        return (self.tokens[source].long() + 1).where(inside, 0)
