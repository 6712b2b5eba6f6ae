"""Gradients by ``torch.autograd.grad``, second ones, and those of weights that are computed."""

import torch
from common import assert_close, network, rows

import matexapps as mx


def gradients_of(model, **kwargs):
    return torch.autograd.grad(model(rows).square().sum(), list(model.parameters()), **kwargs)


def gradient_penalty(model):
    return sum(gradient.square().sum() for gradient in gradients_of(model, create_graph=True))


def scale_gradient(model):
    # Weights that the program computes get their gradients where it computes them.
    scale = torch.tensor(2.0, requires_grad=True)
    weights = {name: p.detach() * scale for name, p in model.named_parameters()}
    torch.func.functional_call(model, weights, rows).sum().backward()
    return scale.grad


alone = network()
expected = gradients_of(alone)
expected_penalty = gradient_penalty(alone)
expected_penalty.backward()
with mx.distributed():
    model = network()
    for gradient, expected_gradient in zip(gradients_of(model), expected, strict=True):
        assert_close(gradient, expected_gradient)
    penalty = gradient_penalty(model)
    penalty.backward()
    assert_close(penalty, expected_penalty)
    for parameter, other in zip(model.parameters(), alone.parameters(), strict=True):
        assert_close(parameter.grad, other.grad)
    gradient = scale_gradient(model)
assert_close(gradient, scale_gradient(alone))
print("gradients")
