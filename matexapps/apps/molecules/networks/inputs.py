"""From numbers of molecules to the inputs of a batch.

What a row of a data set holds is the number of its molecule; the packed features of all molecules
lie in buffers beside the network. So the rows stay small, and batches of graphs, which have no
fixed shape, need no way of their own through the loader.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from matexapps.apps.molecules.data.components import parts_of
from matexapps.apps.molecules.featurizers import Arrays
from matexapps.apps.molecules.networks.architecture import Architecture
from matexapps.apps.molecules.networks.batch_graph import BatchGraph, PackedGraphs
from matexapps.apps.molecules.networks.scaling import SCALED, ScaledColumns
from matexapps.errors import TrainingError

Inputs = dict[str, Tensor | BatchGraph]

LARGEST_NUMBER = 2**24
"""Rows are float32, which counts no further."""


_TABLES = (*SCALED, "fingerprint", "tokens", "token_count", "token_start", "image")


class MoleculeInputs(nn.Module):
    """The features of all molecules, and batches of them.

    Parameters
    ----------
    architecture : Architecture
    """

    parts: Tensor
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

    def hold(self, features: Arrays, molecules: int) -> None:
        """Take the features of so many molecules in place of those held before.

        Of several structures a row,
        :data:`~matexapps.apps.molecules.data.components.PARTS` is among
        the features.

        They are no part of the network's state: a checkpoint does not have them.
        """
        if molecules > LARGEST_NUMBER:
            raise TrainingError(
                f"a network holds up to {LARGEST_NUMBER:,} molecules at once, got {molecules:,}: "
                "use fewer"
            )
        tensors = {name: torch.from_numpy(array) for name, array in features.items()}
        self.register_buffer(
            "parts", torch.from_numpy(parts_of(features, molecules)), persistent=False
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
        """Scale computed columns by the molecules with these numbers."""
        parts = self.parts[torch.from_numpy(train)]
        for name, place, feature in self._inputs:
            if name in self.scaled:
                scaled = self.scaled[name]
                assert isinstance(scaled, ScaledColumns)
                scaled.adapt(getattr(self, feature)[parts[:, place]])

    def forward(self, numbers: Tensor) -> Inputs:
        """Return the inputs of these molecules, as an architecture names them."""
        parts = self.parts[numbers]
        return {
            name: self._input(name, feature, parts[:, place])
            for name, place, feature in self._inputs
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

    def _padded_tokens(self, numbers: Tensor) -> Tensor:
        """Return characters counted from 1, behind them 0, shape (molecules, longest)."""
        count = self.token_count[numbers]
        longest = int(count.max()) if len(numbers) else 0
        place = torch.arange(longest, device=numbers.device)
        inside = place < count[:, None]
        where = (self.token_start[numbers][:, None] + place).where(inside, 0)
        return (self.tokens[where].long() + 1).where(inside, 0)
