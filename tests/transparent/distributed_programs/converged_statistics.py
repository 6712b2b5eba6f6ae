"""Running statistics that have converged change by rounding alone."""

import torch
from common import assert_close, rows, with_warnings
from torch import nn

import matexapps as mx

converged = nn.BatchNorm1d(3)
for _ in range(600):
    converged(rows)
for statistic in (converged.running_mean, converged.running_var):
    before = statistic.clone()
    converged(rows)
    assert torch.equal(statistic, before)
with mx.distributed():
    output, warned = with_warnings(lambda: converged(rows))
    assert not warned, warned
    assert_close(output, nn.BatchNorm1d(3)(rows))
print("converged_statistics")
