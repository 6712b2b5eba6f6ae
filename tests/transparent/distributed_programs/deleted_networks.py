"""Networks that the program has deleted, and layers that it has exchanged."""

import gc

from common import network, rows
from torch import nn

import matexapps as mx
from matexapps.transparent.gradients import GradientAverager

with mx.distributed():
    for fold in range(6):
        model = network(fold)
        model(rows).sum().backward()
        gc.collect()
    (averager,) = [
        item for item in gc.get_objects() if isinstance(item, GradientAverager) and item._groups
    ]
    # The present network, and the last one, which still existed when this one was registered.
    assert len(averager._groups) <= 2, averager._groups
    model[2] = nn.Linear(5, 1)
    model(rows).sum().backward()
    assert model[2].weight.grad.abs().sum() > 0
print("deleted_networks")
