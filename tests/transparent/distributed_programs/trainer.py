"""A Trainer inside ``distributed`` gives each rank its rows itself."""

import torch
from common import assert_close, rows
from torch import nn

import matexapps as mx

label = (rows.sum(1) > 0).float().numpy()


def train():
    torch.manual_seed(2)
    model = nn.Linear(3, 1)
    data = mx.DataSet.from_arrays(rows.numpy(), label, validation=0.0, test=0.0)
    mx.Trainer(model, batch_size=4, device="cpu").fit(data, epochs=2)
    return model


with mx.distributed():
    model = train()
    # After training, calls are sharded as before.
    model.zero_grad()
    model(rows).sum().backward()
    assert_close(model.weight.grad[0], rows.sum(0))
assert_close(model.weight, train().weight)
print("trainer")
