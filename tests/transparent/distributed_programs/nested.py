"""Tensors inside dataclasses, kinds of dict and named tuples, and calls that are not sharded."""

from collections import OrderedDict, UserDict
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from common import assert_close, rows, with_warnings
from torch import nn
from torch.distributions import Normal

import matexapps as mx


@dataclass(frozen=True, slots=True)
class Batch:
    x: torch.Tensor
    name: str
    more: Any = None


@dataclass
class Output(OrderedDict):
    """In the manner of Hugging Face."""

    logits: torch.Tensor
    hidden: Any = None
    loss: Any = None

    def __post_init__(self):
        for name in ("logits", "hidden", "loss"):
            if getattr(self, name) is not None:
                self[name] = getattr(self, name)


class Tokens(UserDict):
    pass


class Pair(NamedTuple):
    first: Any
    second: Any


class Holder:
    def __init__(self, x):
        self.x = x


class Net(nn.Module):
    def __init__(self, compute):
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.compute = nn.Linear(3, 2), compute

    def forward(self, inputs):
        return self.compute(self.layer, inputs)


def loss_of(output):
    """Sum what is inside, and look at what a program may look at."""
    if isinstance(output, torch.Tensor):
        return output.square().sum()
    if isinstance(output, Output):
        assert output["logits"] is output.logits, list(output)
        assert "loss" in output, list(output)
        return output.loss + loss_of(output.hidden)
    if isinstance(output, Batch):
        assert output.name == "batch"
        return loss_of(output.x)
    return sum(loss_of(part) for part in output)


def compute_output(layer, batch):
    sizes.append(len(batch.x))
    logits = layer(batch.x)
    loss = nn.functional.mse_loss(logits, batch.more["y"])
    return Output(logits, Pair([logits.tanh()], Batch(logits * 2, batch.name)), loss)


def compute_tokens(layer, tokens):
    sizes.append(len(tokens["x"]))
    return layer(tokens["x"]) * tokens["scale"]


def compute_loss(layer, x):
    sizes.append(len(x))
    return layer(x).square().mean()


def compute_in_place(layer, x):
    sizes.append(len(x))
    return layer(x.mul_(0.5))


def compute_into_inputs(layer, batch):
    sizes.append(len(batch["x"]))
    batch["hidden"] = layer(batch["x"])
    return batch["hidden"]


def compute_held(layer, holder):
    sizes.append(len(holder.x))
    return layer(holder.x)


y = rows[:, :2].clone()
sizes = []
CASES = [
    (compute_output, lambda: Batch(rows.clone(), "batch", {"y": y}), ""),
    (compute_tokens, lambda: Tokens(x=rows.clone(), scale=2.0), ""),
    (compute_loss, rows.clone, "such as a loss; let it return outputs with rows too"),
    (compute_in_place, rows.clone, "it modifies its inputs; compute new tensors instead"),
    (compute_into_inputs, lambda: {"x": rows.clone()}, "it modifies its inputs"),
    (compute_held, lambda: Holder(rows.clone()), "objects of type Holder are not searched"),
]
expected = []
for compute, make_inputs, _ in CASES:
    alone, inputs = Net(compute), make_inputs()
    loss = loss_of(alone(inputs))
    loss.backward()
    expected.append((loss, alone.layer.weight.grad, inputs))
with mx.distributed():
    for (compute, make_inputs, reason), (expected_loss, gradient, inputs_after) in zip(
        CASES, expected, strict=True
    ):
        model, inputs = Net(compute), make_inputs()
        loss, warned = with_warnings(lambda: loss_of(model(inputs)))  # noqa: B023
        loss.backward()
        assert_close(loss, expected_loss)
        assert_close(model.layer.weight.grad, gradient)
        assert reason in warned, warned
        assert bool(reason) == bool(warned), warned
        assert (sizes[-1] < 11) == (not reason), (compute, sizes)
        if compute in (compute_in_place, compute_into_inputs):
            torch.testing.assert_close(inputs, inputs_after)
    distribution, warned = with_warnings(lambda: Net(lambda layer, x: Normal(layer(x), 1.0))(rows))
    assert "objects of type Normal are not searched" in warned, warned
    assert distribution.mean.shape == (11, 2)
    # Without anything that may have rows there is nothing to warn of.
    assert with_warnings(lambda: Net(lambda layer, step: layer.bias * step)(3))[1] == ""
print("nested")
