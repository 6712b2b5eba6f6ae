"""``with mx.distributed():`` in code: what it shares out, what it leaves whole, what it refuses."""

from __future__ import annotations

import pytest

import matexapps as mx

PRELUDE = """
import gc, warnings
import numpy as np
import torch
from torch import nn
import matexapps as mx
from matexapps.transparent.gradients import GradientAverager

def told(function):
    "What a call returns, and what it warns of."
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        value = function()
    return value, " ".join(str(warning.message) for warning in caught)

def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))

torch.manual_seed(1)
rows = torch.randn(11, 3)

def close(one, other):
    torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
"""

WAYS_OF_GRADIENTS = """
alone = network()
expected = torch.autograd.grad(alone(rows).square().sum(), list(alone.parameters()))
penalty = sum(g.square().sum() for g in torch.autograd.grad(
    alone(rows).square().sum(), list(alone.parameters()), create_graph=True))
penalty.backward()
with mx.distributed() as comm:
    model = network()
    found = torch.autograd.grad(model(rows).square().sum(), list(model.parameters()))
    for one, other in zip(found, expected):
        close(one, other)
    again = sum(g.square().sum() for g in torch.autograd.grad(
        model(rows).square().sum(), list(model.parameters()), create_graph=True))
    again.backward()
    close(again, penalty)
    for one, other in zip(model.parameters(), alone.parameters()):
        close(one.grad, other.grad)
    # Weights that the program computes get their gradients where it computed them.
    scale = torch.tensor(2.0, requires_grad=True)
    weights = {name: p.detach() * scale for name, p in model.named_parameters()}
    torch.func.functional_call(model, weights, rows).sum().backward()
    reference = torch.tensor(2.0, requires_grad=True)
    weights = {name: p.detach() * reference for name, p in alone.named_parameters()}
    torch.func.functional_call(alone, weights, rows).sum().backward()
    close(scale.grad, reference.grad)
print("gradients")
"""

FEW_ROWS = """
with mx.distributed() as comm:
    seen = []
    class Seen(nn.Linear):
        def forward(self, x):
            seen.append(len(x))
            return super().forward(x)
    model = Seen(3, 2)
    close(model(rows[:1]), nn.functional.linear(rows[:1], model.weight, model.bias))
    assert seen == [1]
    model(rows)
    assert sum(comm.all_gather_object(seen[-1])) == 11 and seen[-1] < 11
    model(rows[:1])
    assert seen[-1] == 1
    _, warned = told(lambda: model(torch.zeros(3)))
    assert "not shared out" in warned
print("few rows")
"""

REFUSED = """
with mx.distributed():
    embedding = nn.Embedding(6, 2, sparse=True)
    tokens = torch.arange(6)
    try:
        embedding(tokens).sum().backward()
    except mx.MatexError as error:
        assert "use Embedding(..., sparse=False)" in str(error), error
    else:
        raise AssertionError("a sparse gradient was taken")
print("refused")
"""

WATCHED = """
with mx.distributed():
    hooked = network()
    sizes = []
    hooked[1].register_forward_hook(lambda module, inputs, output: sizes.append(len(output)))
    _, warned = told(lambda: hooked(rows))
    assert "a hook on its module '1' would see some rows only" in warned and sizes == [11]
    clipped = network()
    for parameter in clipped.parameters():
        parameter.register_hook(lambda gradient: gradient.clamp(-0.1, 0.1))
    value, warned = told(lambda: clipped(rows))
    assert "a hook on its parameter '0.weight'" in warned
    value.square().sum().backward()
alone = network()
for parameter in alone.parameters():
    parameter.register_hook(lambda gradient: gradient.clamp(-0.1, 0.1))
alone(rows).square().sum().backward()
for one, other in zip(clipped.parameters(), alone.parameters()):
    close(one.grad, other.grad)
print("watched")
"""

FORGOTTEN = """
with mx.distributed():
    for fold in range(6):
        model = network(fold)
        model(rows).sum().backward()
        gc.collect()
    (watching,) = [o for o in gc.get_objects() if isinstance(o, GradientAverager) and o._groups]
    # The present network, and the last one, which was still there when this one came.
    assert len(watching._groups) <= 2, watching._groups
    model[2] = nn.Linear(5, 1)
    model(rows).sum().backward()
    assert model[2].weight.grad.abs().sum() > 0
print("forgotten")
"""

SEEDS = """
with mx.distributed() as comm:
    drawn = (torch.rand(1).item(), np.random.rand(), np.random.default_rng().random())
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
"""


TRAINER = """
label = (rows.sum(1) > 0).float().numpy()

def trained():
    torch.manual_seed(2)
    model = nn.Linear(3, 1)
    data = mx.DataSet.from_arrays(rows.numpy(), label, validation=0.0, test=0.0)
    mx.Trainer(model, batch_size=4, device="cpu").fit(data, epochs=2)
    return model

with mx.distributed():
    inside = trained()
    # After a Trainer, calls are shared out as before.
    inside.zero_grad()
    inside(rows).sum().backward()
    close(inside.weight.grad[0], rows.sum(0))
outside = trained()
close(inside.weight, outside.weight)
print("trainer")
"""

SETTLED = """
settled = nn.BatchNorm1d(3)
for _ in range(600):
    settled(rows)
for statistic in (settled.running_mean, settled.running_var):
    before = statistic.clone()
    settled(rows)
    assert torch.equal(statistic, before)
with mx.distributed():
    output, warned = told(lambda: settled(rows))
    assert not warned, warned
    close(output, nn.BatchNorm1d(3)(rows))
print("settled")
"""

NESTED = """
from collections import OrderedDict, UserDict
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from torch.distributions import Normal

@dataclass(frozen=True, slots=True)
class Batch:
    x: torch.Tensor
    name: str
    more: Any = None

@dataclass
class Output(OrderedDict):
    "In the manner of Hugging Face."
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
    one: Any
    other: Any

class Holder:
    def __init__(self, x):
        self.x = x

class Net(nn.Module):
    def __init__(self, give):
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.give = nn.Linear(3, 2), give
    def forward(self, given):
        return self.give(self.layer, given)

def loss_of(output, sizes):
    "Sum what is inside, and look at what a program may look at."
    if isinstance(output, torch.Tensor):
        return output.square().sum()
    if isinstance(output, Output):
        assert output["logits"] is output.logits and "loss" in output, list(output)
        return output.loss + loss_of(output.hidden, sizes)
    if isinstance(output, Batch):
        assert output.name == "given"
        return loss_of(output.x, sizes)
    return sum(loss_of(part, sizes) for part in output)

def give_output(layer, batch):
    sizes.append(len(batch.x))
    logits = layer(batch.x)
    loss = nn.functional.mse_loss(logits, batch.more["y"])
    return Output(logits, Pair([logits.tanh()], Batch(logits * 2, batch.name)), loss)

def give_tokens(layer, tokens):
    sizes.append(len(tokens["x"]))
    return layer(tokens["x"]) * tokens["scale"]

def give_loss(layer, x):
    sizes.append(len(x))
    return layer(x).square().mean()

def give_in_place(layer, x):
    sizes.append(len(x))
    return layer(x.mul_(0.5))

def give_renamed(layer, batch):
    sizes.append(len(batch["x"]))
    batch["hidden"] = layer(batch["x"])
    return batch["hidden"]

def give_held(layer, holder):
    sizes.append(len(holder.x))
    return layer(holder.x)

y = rows[:, :2].clone()
CASES = [
    (give_output, lambda: Batch(rows.clone(), "given", {"y": y}), ""),
    (give_tokens, lambda: Tokens(x=rows.clone(), scale=2.0), ""),
    (give_loss, lambda: rows.clone(), "such as a loss; let it return outputs with rows too"),
    (give_in_place, lambda: rows.clone(), "it changes its inputs"),
    (give_renamed, lambda: {"x": rows.clone()}, "it changes its inputs"),
    (give_held, lambda: Holder(rows.clone()), "objects of Holder are not looked into"),
]
expected = []
for give, make, _ in CASES:
    sizes = []
    alone, given = Net(give), make()
    loss = loss_of(alone(given), sizes)
    loss.backward()
    expected.append((loss, alone.layer.weight.grad, given))
with mx.distributed():
    for (give, make, why), (expected_loss, gradient, afterwards) in zip(CASES, expected):
        sizes = []
        model, given = Net(give), make()
        loss, warned = told(lambda: loss_of(model(given), sizes))
        loss.backward()
        close(loss, expected_loss)
        close(model.layer.weight.grad, gradient)
        assert why in warned and bool(why) == bool(warned), warned
        assert (sizes[-1] < 11) == (not why), (give, sizes)
        if give in (give_in_place, give_renamed):
            torch.testing.assert_close(given, afterwards)
    drawn, warned = told(lambda: Net(lambda layer, x: Normal(layer(x), 1.0))(rows).mean)
    assert "objects of Normal are not looked into" in warned and drawn.shape == (11, 2)
    # Without anything that may have rows there is nothing to warn of.
    assert told(lambda: Net(lambda layer, step: layer.bias * step)(3))[1] == ""
print("nested")
"""

WRONG_SHAPE = """
with mx.distributed():
    model = network()
    def fails():
        try:
            model(torch.randn(11, 4))
        except RuntimeError as error:
            return str(error)
    error, warned = told(fails)
    assert "shapes cannot be multiplied (11x4 and 3x5)" in error and not warned, (error, warned)
    assert told(lambda: model(rows))[1] == ""
print("wrong shape")
"""

PROGRAMS = {
    "gradients": WAYS_OF_GRADIENTS,
    "few rows": FEW_ROWS,
    "refused": REFUSED,
    "watched": WATCHED,
    "forgotten": FORGOTTEN,
    "seeds": SEEDS,
    "trainer": TRAINER,
    "settled": SETTLED,
    "nested": NESTED,
    "wrong shape": WRONG_SHAPE,
}


@pytest.mark.parametrize("n", [pytest.param(2, marks=pytest.mark.slow), 3])
def test_in_code(run_ranks, n):
    done = run_ranks(n, PRELUDE + "".join(PROGRAMS.values()))
    assert done.returncode == 0, done.stderr
    # Prints after leaving are each rank's own.
    assert sorted(done.stdout.splitlines()) == sorted([*PROGRAMS] * n)


def test_what_is_hooked_into_is_listed():
    listed = mx.distributed.explain()
    for name in ("Module.__call__", "autograd.grad", "default_rng", "torch.save", "DataLoader"):
        assert name in listed
