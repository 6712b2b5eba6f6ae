"""What the programs of ``test_distributed.py`` share."""

import warnings

import torch
from torch import nn

torch.manual_seed(1)
rows = torch.randn(11, 3)


def with_warnings(function):
    """Return what a function returns, and the text of its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        value = function()
    return value, " ".join(str(warning.message) for warning in caught)


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))


def assert_close(value, expected):
    torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-6)
