"""A network that records which rows it learns from, and a data set for it."""

from __future__ import annotations

import json
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import nn

import matexapps as mx
from matexapps.comm.communicator import Communicator


def data_set(rows: int = 1003, weighted: bool = False, **settings: Any) -> mx.DataSet:
    """Return rows whose last column is their number."""
    rng = np.random.default_rng(5)
    features = rng.normal(size=(rows, 6)).astype(np.float32)
    label = features[:, 0] + features[:, 1] ** 2 + rng.normal(size=rows) > 1
    features[:, 5] = np.arange(rows)
    weight = rng.random(rows) + 0.1 if weighted else None
    settings = {"validation": 0.2, "test": 0.1, **settings}
    return mx.DataSet.from_arrays(features, label.astype(np.float32), weight, **settings)


class RecordingNetwork(nn.Module):
    """Records the row numbers, which are in the last column, that it learns from."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.layers = nn.Sequential(nn.Linear(5, 24), nn.Tanh(), nn.Linear(24, 1))
        self.row_numbers: list[int] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.row_numbers.extend(x[:, 5].long().tolist())
        return self.layers(x[:, :5])


def row_numbers_of_all_ranks(trainer: mx.Trainer) -> list[int]:
    """Return the sorted row numbers that the ranks' networks have recorded.

    Collective.
    """
    of_ranks = trainer.comm.all_gather_object(trainer.model.row_numbers)
    return sorted(chain.from_iterable(of_ranks))


def flat(model: nn.Module) -> list[float]:
    """Return all weights."""
    return torch.cat([p.detach().reshape(-1) for p in model.parameters()]).tolist()


def print_on_rank_0(comm: Communicator, **values: Any) -> None:
    """Print values as a line of JSON."""
    if comm.rank == 0:
        print(json.dumps(values), flush=True)
