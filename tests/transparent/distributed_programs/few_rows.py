"""A batch with fewer rows than ranks, and an input without rows."""

import torch
from common import assert_close, rows, with_warnings
from torch import nn

import matexapps as mx

sizes = []


class Recorded(nn.Linear):
    def forward(self, x):
        sizes.append(len(x))
        return super().forward(x)


with mx.distributed() as comm:
    model = Recorded(3, 2)
    assert_close(model(rows[:1]), nn.functional.linear(rows[:1], model.weight, model.bias))
    assert sizes == [1]
    model(rows)
    assert sum(comm.all_gather_object(sizes[-1])) == 11
    assert sizes[-1] < 11
    model(rows[:1])
    assert sizes[-1] == 1
    _, warned = with_warnings(lambda: model(torch.zeros(3)))
    assert "not sharded" in warned
print("few_rows")
