"""The ensemble: from indices of molecules to the distributions of their targets."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from matexapps.apps.molecules.featurizers import Arrays
from matexapps.apps.molecules.networks.architecture import Architecture
from matexapps.apps.molecules.networks.encoders import ENCODERS
from matexapps.apps.molecules.networks.heads import HEADS, reference
from matexapps.apps.molecules.networks.inputs import Inputs, MoleculeInputs

_EVALUATION_ROWS = 512


class Member(nn.Module):
    """One network of the ensemble: parallel encoders of its features, and a head.

    Each structure of a row has its own encoders, whose vectors are concatenated, as chemprop does
    with several components (Heid et al., J. Chem. Inf. Model. 64 (2024) 9).
    """

    def __init__(self, architecture: Architecture, features: tuple[str, ...]) -> None:
        super().__init__()
        encoders = {
            name: ENCODERS[feature](architecture)
            for name, _, feature in architecture.inputs(features)
        }
        self.encoders = nn.ModuleDict(encoders)
        width = sum(encoder.outputs for encoder in encoders.values())
        self.hidden = nn.Sequential(nn.Linear(width, architecture.head), nn.ReLU())
        self.head = HEADS[architecture.task](architecture)

    def forward(self, inputs: Inputs) -> Tensor:
        """Return the head's outputs, shape (molecules, targets, outputs of a target)."""
        encoded = [encoder(inputs[name]) for name, encoder in self.encoders.items()]
        outputs: Tensor = self.head(self.hidden(torch.cat(encoded, 1)))
        return outputs


class MoleculeNetwork(nn.Module):
    """An ensemble that takes indices of molecules and returns the outputs of all members.

    All members learn together from the same batch. Ranks share its molecules, not the members:
    all ranks have equal work for any number of members, and the ensemble is the same as on one
    rank.

    Parameters
    ----------
    architecture : Architecture
    seed : int
        Of the initial weights.
    """

    target_mean: Tensor
    target_scale: Tensor

    def __init__(self, architecture: Architecture, seed: int = 0) -> None:
        super().__init__()
        self.architecture = architecture
        self.inputs = MoleculeInputs(architecture)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.members = nn.ModuleList(
                Member(architecture, inputs) for inputs in architecture.ensemble
            )
        self.register_buffer("target_mean", torch.zeros(architecture.targets))
        self.register_buffer("target_scale", torch.ones(architecture.targets))

    def adapt(self, train: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """Set the scale of properties and the reference of outputs from the training molecules.

        Parameters
        ----------
        train : ndarray of int64
            Indices of the training molecules.
        values : ndarray of float64, shape (molecules, targets)
            NaN is missing.

        Raises
        ------
        TrainingError
            If a target has no training value.
        """
        mean, scale = reference(self.architecture.task, values[train])
        self.inputs.adapt(train)
        self.target_mean.copy_(torch.from_numpy(mean))
        self.target_scale.copy_(torch.from_numpy(scale))

    def set_features(self, features: Arrays, molecules: int) -> None:
        """Replace the features by those of the molecules that indices now refer to."""
        self.inputs.set_features(features, molecules)
        self.inputs.to(self.target_mean.device)

    def forward(self, rows: Tensor) -> Tensor:
        """Map indices of molecules, shape (rows, 1), to (rows, members, targets, outputs).

        Outputs are relative to ``target_mean`` and ``target_scale``: see
        :mod:`~matexapps.apps.molecules.networks.heads`.
        """
        indices = rows[:, 0].long()
        if self.training:
            return self._outputs(indices)
        return torch.cat([self._outputs(part) for part in indices.split(_EVALUATION_ROWS)])

    def _outputs(self, indices: Tensor) -> Tensor:
        inputs = self.inputs(indices)
        return torch.stack([member(inputs) for member in self.members], 1)
