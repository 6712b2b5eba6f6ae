"""An ensemble that reads molecules by their numbers and says what their targets may be."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from matexapps.apps.molecules.featurizers import Arrays
from matexapps.apps.molecules.networks.architecture import Architecture
from matexapps.apps.molecules.networks.encoders import ENCODERS
from matexapps.apps.molecules.networks.heads import HEADS
from matexapps.apps.molecules.networks.inputs import Inputs, MoleculeInputs
from matexapps.errors import TrainingError

_ROWS_AT_ONCE = 512


class Member(nn.Module):
    """One network of the ensemble: encoders of its features side by side, and a head.

    Each structure of a row has encoders of its own, whose vectors are joined, as chemprop does
    with several components (Heid et al., J. Chem. Inf. Model. 64 (2024) 9).
    """

    def __init__(self, architecture: Architecture, features: tuple[str, ...]) -> None:
        super().__init__()
        encoders = {
            name: ENCODERS[feature](architecture)
            for name, _, feature in architecture.inputs(features)
        }
        self.encoders = nn.ModuleDict(encoders)
        width = sum(one.outputs for one in encoders.values())
        self.hidden = nn.Sequential(nn.Linear(width, architecture.head), nn.ReLU())
        self.head = HEADS[architecture.task](architecture)

    def forward(self, inputs: Inputs) -> Tensor:
        """Return the head's outputs, shape (molecules, targets, outputs of a target)."""
        encoded = [encoder(inputs[name]) for name, encoder in self.encoders.items()]
        outputs: Tensor = self.head(self.hidden(torch.cat(encoded, 1)))
        return outputs


class MoleculeNetwork(nn.Module):
    """Numbers of molecules in; outputs of every member's head out.

    All members learn at once from one reading of a batch. Ranks share out its molecules, not the
    members: each rank has the same work whatever the numbers of members and of ranks, and the
    ensemble is that of one rank.

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
            self.members = nn.ModuleList(Member(architecture, one) for one in architecture.ensemble)
        self.register_buffer("target_mean", torch.zeros(architecture.targets))
        self.register_buffer("target_scale", torch.ones(architecture.targets))

    def adapt(self, train: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """Scale properties, and set what outputs are relative to, by the training molecules.

        Parameters
        ----------
        train : ndarray of int64
            Numbers of the training molecules.
        values : ndarray of float64, shape (molecules, targets)
            NaN is missing.

        Raises
        ------
        TrainingError
            If a target has no training value.
        """
        known = np.isfinite(values[train])
        if not known.any(0).all():
            place = int(np.argmin(known.any(0)))
            raise TrainingError(
                f"target {place + 1} of {values.shape[1]} has no value among the "
                f"{len(train):,} training molecules: leave it out, or split in another way"
            )
        self.inputs.adapt(train)
        mean, scale = HEADS[self.architecture.task].reference(values[train])
        self.target_mean.copy_(torch.from_numpy(mean))
        self.target_scale.copy_(torch.from_numpy(scale))

    def hold(self, features: Arrays, molecules: int) -> None:
        """Take the features of the molecules that will be asked for."""
        self.inputs.hold(features, molecules)
        self.inputs.to(self.target_mean.device)

    def forward(self, rows: Tensor) -> Tensor:
        """Map numbers of molecules, shape (rows, 1), to (rows, members, targets, outputs).

        Outputs are relative to ``target_mean`` and ``target_scale``: see
        :mod:`~matexapps.apps.molecules.networks.heads`.
        """
        numbers = rows[:, 0].long()
        if self.training:
            return self._outputs(numbers)
        return torch.cat([self._outputs(part) for part in numbers.split(_ROWS_AT_ONCE)])

    def _outputs(self, numbers: Tensor) -> Tensor:
        inputs = self.inputs(numbers)
        return torch.stack([member(inputs) for member in self.members], 1)
