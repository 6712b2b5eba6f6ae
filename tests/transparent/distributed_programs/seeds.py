"""Generators that nobody seeds, ``distributed`` inside itself and as a decorator."""

import numpy as np
import torch
from torch import nn

import matexapps as mx

with mx.distributed() as comm:
    drawn = (torch.rand(1).item(), np.random.rand(), np.random.default_rng().random())  # noqa: NPY002
    assert len(set(comm.all_gather_object(drawn))) == 1
    assert np.random.default_rng(3).random() == np.random.Generator(np.random.PCG64(3)).random()
    with mx.distributed() as inner:
        assert inner is comm

    @mx.distributed(comm)
    def decorated():
        return torch.is_grad_enabled()

    assert decorated()
assert torch.autograd.grad.__module__ == "torch.autograd"
assert nn.Module.__call__.__module__ == "torch.nn.modules.module"
print("seeds")
