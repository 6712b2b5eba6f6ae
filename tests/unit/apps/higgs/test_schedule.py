"""The learning rate of a training, whatever its length."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from matexapps.apps.higgs.model import adamw, one_cycle


@pytest.mark.parametrize("total", [1, 2, 3, 10, 11, 200])
def test_one_cycle_ends_low_for_any_number_of_steps(total):
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = adamw([parameter])
    peak = optimizer.param_groups[0]["lr"]
    scheduler = one_cycle(optimizer, total)
    rates = []
    for _ in range(total):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if len(rates) < total:
            scheduler.step()
    assert max(rates) == pytest.approx(peak)
    if total > 2:
        assert rates[-1] < 0.01 * peak
