"""Encoders: from one kind of input to a vector for each molecule."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from matexapps.apps.molecules.featurizers.fingerprints import BITS
from matexapps.apps.molecules.featurizers.image import CHANNELS
from matexapps.apps.molecules.featurizers.tokens import TOKENS
from matexapps.apps.molecules.networks.architecture import Architecture
from matexapps.apps.molecules.networks.batch_graph import BatchGraph
from matexapps.apps.molecules.networks.message_passing import DirectedMessagePassing, read_out
from matexapps.apps.molecules.networks.scaling import SCALED


class Encoder(nn.Module):
    """Maps one kind of input to (molecules, outputs)."""

    outputs: int

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs


class GraphEncoder(Encoder):
    """Message passing on bonds, then sum and mean over atoms."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(2 * architecture.width)
        self.passing = DirectedMessagePassing(architecture.width, architecture.depth)

    def forward(self, graph: BatchGraph) -> Tensor:
        return read_out(self.passing(graph), graph)


class ScaledEncoder(Encoder):
    """The identity: scaled columns are the encoding."""

    def forward(self, scaled: Tensor) -> Tensor:
        return scaled


def _scaled_encoder(columns: int, _: Architecture) -> Encoder:
    return ScaledEncoder(columns)


class FingerprintEncoder(Encoder):
    """A linear map of logarithms of counts."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture.head)
        self.linear = nn.Linear(BITS, self.outputs)

    def forward(self, fingerprint: Tensor) -> Tensor:
        return torch.relu(self.linear(fingerprint))


class SmilesEncoder(Encoder):
    """Convolution, then a GRU over the characters, as in SMILES2vec (arXiv:1712.02034).

    The encoding is the state after the last character, and padding is embedded as zero, so that
    the other molecules of the batch have no influence.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture.width)
        self.embedding = nn.Embedding(TOKENS + 1, 48, padding_idx=0)
        self.convolution = nn.Conv1d(48, architecture.width, 5, padding=2)
        self.recurrent = nn.GRU(architecture.width, architecture.width, batch_first=True)

    def forward(self, tokens: Tensor) -> Tensor:
        if tokens.numel() == 0:
            return self.convolution.weight.new_zeros(len(tokens), self.outputs)
        embedded = self.embedding(tokens).transpose(1, 2)
        states, _ = self.recurrent(self.convolution(embedded).relu().transpose(1, 2))
        last = (tokens > 0).sum(1) - 1
        return states[torch.arange(len(tokens), device=tokens.device), last]


class ImageEncoder(Encoder):
    """A small convolutional network over pictures, after Chemception (arXiv:1706.06689)."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture.width)
        sizes = (CHANNELS, 32, 64, architecture.width)
        layers: list[nn.Module] = []
        for size, following in pairwise(sizes):
            layers += [
                nn.Conv2d(size, following, 3, stride=2, padding=1),
                nn.GroupNorm(1, following),
                nn.ReLU(),
            ]
        self.layers = nn.Sequential(*layers)

    def forward(self, image: Tensor) -> Tensor:
        return torch.mean(self.layers(image), (2, 3))


ENCODERS: dict[str, Callable[[Architecture], Encoder]] = {
    "graph": GraphEncoder,
    **{name: partial(_scaled_encoder, columns) for name, columns in SCALED.items()},
    "fingerprint": FingerprintEncoder,
    "tokens": SmilesEncoder,
    "image": ImageEncoder,
}
"""Encoders by the featurizer whose features they read."""
