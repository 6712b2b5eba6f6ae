"""Activations that are recomputed after a sharded call, and after one that is not sharded."""

import torch
from common import assert_close
from torch import nn
from torch.utils import checkpoint

import matexapps as mx

twelve_rows = torch.randn(12, 3, generator=torch.Generator().manual_seed(2))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.Linear(3, 5), nn.Linear(5, 2)

    def forward(self, x):
        hidden = checkpoint.checkpoint(self.hidden, x, use_reentrant=False)
        return self.head(hidden)

    def hidden(self, x):
        return nn.functional.dropout(self.layer(x).tanh(), 0.5)


def gradients():
    torch.manual_seed(3)
    model = Net()
    model(twelve_rows).square().sum().backward()
    # A hook of the user's own, so that the next call is not sharded.
    model.head.register_forward_hook(lambda module, inputs, output: None)
    model(twelve_rows).square().sum().backward()
    return [parameter.grad for parameter in model.parameters()]


with mx.distributed():
    on_ranks = gradients()
for gradient, expected in zip(on_ranks, gradients(), strict=True):
    assert_close(gradient, expected)
print("checkpointed")
