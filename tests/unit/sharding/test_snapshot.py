"""A snapshot undoes what a call of a network has changed, also deep in its attributes."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import nn

from matexapps.sharding.snapshot import Snapshot, generator_states, values_close


class Remembers(nn.Module):
    """Keeps what it has seen in every way that attributes can."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
        self.calls, self.sum, self.log = 0, torch.zeros(3), []
        self.by_name = {"layers": [torch.zeros(1)], "sizes": {"rows": ([],)}}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layers(x)
        self.calls += 1
        self.sum += x.detach().sum(0)
        self.log.append(len(x))
        self.by_name["layers"][0] += 1
        self.by_name["layers"].append(x.detach().mean())
        self.by_name["sizes"]["rows"][0].append(len(x))
        self.output = x
        return x + random.random() + np.random.rand() + torch.rand(1)  # noqa: NPY002


def state(network: Remembers) -> str:
    return str([network.calls, network.sum, network.log, network.by_name, network.state_dict()])


def test_it_restores_buffers_attributes_containers_and_generators():
    network = Remembers()
    before, generators = state(network), generator_states()
    snapshot = Snapshot(network)
    network(torch.ones(4, 2))
    assert sorted(snapshot.drawn_generators()) == ["Python", "numpy", "torch"]
    assert state(network) != before
    snapshot.restore()
    assert state(network) == before
    assert not hasattr(network, "output")
    assert values_close(generator_states(), generators)
    assert not snapshot.drawn_generators()
    assert not snapshot.changes()


@pytest.mark.parametrize("change", ["attribute", "inner list", "inner tensor"])
def test_changes_that_depend_on_rows_are_found(change):
    network = Remembers()
    network.state = {"sizes": [0], "sums": (torch.zeros(()),)}
    changes = {
        "attribute": lambda x: setattr(network, "size", len(x)),
        "inner list": lambda x: network.state["sizes"].append(len(x)),
        "inner tensor": lambda x: network.state["sums"][0].add_(x.sum()),
    }
    snapshot = Snapshot(network)

    def change_by(rows: int) -> dict:
        changes[change](torch.ones(rows, 2))
        result = snapshot.changes()
        snapshot.restore()
        return result

    assert not snapshot.differences(change_by(4), change_by(4))
    assert snapshot.differences(change_by(4), change_by(2))
