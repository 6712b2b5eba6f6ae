"""An ensemble of multilayer perceptrons that share most of their weights and train at once."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

_LEAST_WIDTH = 1e-4


class BatchEnsembleLinear(nn.Module):
    """One linear layer for all members: a shared matrix, with scales of each member's own.

    Member m computes ``s_m * (W (r_m * x)) + b_m`` (Wen, Tran, Ba, BatchEnsemble, ICLR 2020).

    Parameters
    ----------
    inputs, outputs : int
    members : int
    random_signs : bool
        Start ``r_m`` at random signs, which makes the members differ; otherwise at one.
    """

    def __init__(self, inputs: int, outputs: int, members: int, *, random_signs: bool) -> None:
        super().__init__()
        bound = 1 / math.sqrt(inputs)
        start = torch.randint(0, 2, (members, inputs)) * 2.0 - 1.0
        self.weight = nn.Parameter(torch.empty(outputs, inputs).uniform_(-bound, bound))
        self.input_scale = nn.Parameter(start if random_signs else torch.ones(members, inputs))
        self.output_scale = nn.Parameter(torch.ones(members, outputs))
        self.bias = nn.Parameter(torch.empty(members, outputs).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        """Map (rows, members, inputs), or (rows, 1, inputs), to (rows, members, outputs)."""
        scaled = functional.linear(x * self.input_scale, self.weight)
        return scaled * self.output_scale + self.bias


class PiecewiseLinearEncoding(nn.Module):
    """Each input beside its position in bins that hold equal numbers of training rows.

    Within its bin an input counts from 0 to 1; bins below it are full, bins above it empty. Narrow
    structures, such as a mass peak, get several bins and become easy to learn (Gorishniy, Rubachev,
    Babenko, On embeddings for numerical features in tabular deep learning, NeurIPS 2022).

    Parameters
    ----------
    inputs : int
    bins : int
        Bins of an input.

    Attributes
    ----------
    outputs : int
        Codes of a row, its inputs included.
    """

    lower: Tensor
    width: Tensor

    def __init__(self, inputs: int, bins: int) -> None:
        super().__init__()
        self.register_buffer("lower", torch.zeros(inputs, bins))
        self.register_buffer("width", torch.ones(inputs, bins))
        self.outputs = inputs * (1 + bins)

    def fit(self, values: Tensor) -> None:
        """Lay the bins' edges by the training rows' inputs, shape (rows, inputs)."""
        shares = np.linspace(0, 1, self.lower.shape[1] + 1)
        edges = torch.from_numpy(np.quantile(values.numpy(), shares, axis=0).T.copy()).float()
        self.lower.copy_(edges[:, :-1])
        self.width.copy_(edges.diff(dim=1).clamp_min(_LEAST_WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        """Map (rows, inputs) to (rows, inputs * (1 + bins)), each code from -0.5 to 0.5."""
        codes = ((x[:, :, None] - self.lower) / self.width).clamp(0, 1) - 0.5
        return torch.cat([x, codes.flatten(1)], dim=1)


class BatchEnsemble(nn.Module):
    """Members that share their layers' matrices, each with scales, biases and an output of its own.

    After Gorishniy, Kotelnikov, Babenko, TabM, ICLR 2025. In training the network gives every
    member's logit, to be judged by :func:`member_loss`; in evaluation the logit of the members'
    mean probability.

    Parameters
    ----------
    inputs : int
        Inputs a row, of the order of one.
    members, width, depth : int
        Members of the ensemble, units of a hidden layer, hidden layers.
    dropout : float
        Share of hidden units left out in training.
    """

    def __init__(
        self, inputs: int, *, members: int, width: int, depth: int, dropout: float
    ) -> None:
        super().__init__()
        sizes = [inputs] + [width] * depth
        self.layers = nn.ModuleList(
            BatchEnsembleLinear(sizes[i], width, members, random_signs=i == 0) for i in range(depth)
        )
        self.dropout = nn.Dropout(dropout)
        self.output_weight = nn.Parameter(torch.randn(members, width) / math.sqrt(width))
        self.output_bias = nn.Parameter(torch.zeros(members))

    def forward(self, x: Tensor) -> Tensor:
        """Map (rows, inputs) to logits: (rows, members) in training, (rows,) in evaluation."""
        hidden = x[:, None]
        for layer in self.layers:
            hidden = self.dropout(layer(hidden).relu())
        logits = (hidden * self.output_weight).sum(-1) + self.output_bias
        if self.training:
            return logits
        # log(mean p / mean (1 - p)) from logarithms, so that confident members do not round to 1.
        return functional.logsigmoid(logits).logsumexp(1) - functional.logsigmoid(
            -logits
        ).logsumexp(1)


def member_loss(logits: Tensor, label: Tensor) -> Tensor:
    """Return each row's binary cross entropy, averaged over the members, shape (rows,).

    Takes logits of shape (rows, members), or (rows,) as an ensemble gives them in evaluation.
    """
    if logits.dim() == label.dim():
        return functional.binary_cross_entropy_with_logits(logits, label, reduction="none")
    target = label[:, None].expand_as(logits)
    return functional.binary_cross_entropy_with_logits(logits, target, reduction="none").mean(1)
