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
from matexapps.transparent.gradients import MeanGradients

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
    (watching,) = [o for o in gc.get_objects() if isinstance(o, MeanGradients) and o._groups]
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

PROGRAMS = {
    "gradients": WAYS_OF_GRADIENTS,
    "few rows": FEW_ROWS,
    "refused": REFUSED,
    "watched": WATCHED,
    "forgotten": FORGOTTEN,
    "seeds": SEEDS,
    "trainer": TRAINER,
    "settled": SETTLED,
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
