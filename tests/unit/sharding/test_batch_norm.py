"""Batch normalization of the global batch, where one rank has all of it: torch's own."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from matexapps.comm.single import SingleProcess
from matexapps.sharding.batch_norm import batch_norm
from matexapps.sharding.shard import Part


def ours(values, mean, variance, weight, bias):
    part = Part(len(values), SingleProcess())
    return batch_norm(values, mean, variance, weight, bias, 0.1, 1e-5, part)


def torchs(values, mean, variance, weight, bias):
    return functional.batch_norm(values, mean, variance, weight, bias, True, 0.1, 1e-5)


@pytest.mark.parametrize("shape", [(9, 4), (9, 4, 5), (9, 4, 3, 2)])
@pytest.mark.parametrize("affine", [True, False])
def test_values_statistics_and_gradients_are_torchs(shape, affine):
    torch.manual_seed(0)
    # Far from zero, where sums of squares would cancel.
    values = torch.randn(shape) + 100
    weight, bias = (torch.randn(4), torch.randn(4)) if affine else (None, None)
    results = []
    for function in (ours, torchs):
        statistics = torch.zeros(4), torch.ones(4)
        inputs = [t.clone().requires_grad_() if t is not None else None
                  for t in (values, weight, bias)]  # fmt: skip
        output = function(inputs[0], *statistics, *inputs[1:])
        gradient = torch.arange(output.numel()).view(shape).sin()
        output.backward(gradient)
        results.append([output, *statistics, *(t.grad for t in inputs if t is not None)])
    for mine, expected in zip(*results, strict=True):
        torch.testing.assert_close(mine, expected, rtol=1e-4, atol=1e-4)


def test_gradients_have_gradients():
    torch.manual_seed(0)
    values = torch.randn(7, 3, dtype=torch.float64, requires_grad=True)
    weight, bias = (torch.randn(3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    results = []
    for function in (ours, torchs):
        output = function(values, None, None, weight, bias).pow(3).sum()
        gradients = torch.autograd.grad(output, (values, weight, bias), create_graph=True)
        penalty = sum(gradient.square().sum() for gradient in gradients)
        results.append(torch.autograd.grad(penalty, (values, weight, bias)))
    for mine, expected in zip(*results, strict=True):
        torch.testing.assert_close(mine, expected)


def test_half_size_numbers_stay_so():
    values = torch.randn(8, 3, dtype=torch.bfloat16)
    output = ours(values, None, None, torch.ones(3), torch.zeros(3))
    assert output.dtype == torch.bfloat16
