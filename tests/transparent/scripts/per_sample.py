"""Gradients of single samples by torch.func, clipped as for privacy; networks stacked in one."""

import copy

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call, grad, jacrev, stack_module_state, vmap

torch.manual_seed(3)
x, y = torch.randn(23, 4), torch.randint(0, 3, (23,))
model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.2)


def loss_of(parameters, sample, target):
    return F.cross_entropy(functional_call(model, parameters, (sample[None],)), target[None])


for step in range(4):
    parameters = {name: p.detach() for name, p in model.named_parameters()}
    gradients = vmap(grad(loss_of), in_dims=(None, 0, 0))(parameters, x, y)
    norms = sum(g.flatten(1).square().sum(1) for g in gradients.values()).sqrt()
    factors = (0.5 / norms).clamp(max=1.0)
    for name, p in model.named_parameters():
        p.grad = torch.einsum("n,n...->...", factors, gradients[name]) / len(x)
    optimizer.step()
    print(f"step {step}: norm {norms.mean():.5f}, loss {F.cross_entropy(model(x), y):.5f}")

jacobians = vmap(jacrev(model))(x)
print(f"jacobians {tuple(jacobians.shape)}, {jacobians.square().sum():.4f}")

# All networks of the ensemble at once, whose weights are then what is mapped over.
networks = [nn.Linear(4, 3) for _ in range(3)]
weights, buffers = stack_module_state(networks)
skeleton = copy.deepcopy(networks[0]).to("meta")


def call(weights, buffers, x):
    return functional_call(skeleton, (weights, buffers), (x,))


ensemble = torch.optim.SGD(weights.values(), lr=0.5)
for _ in range(3):
    outputs = vmap(call, in_dims=(0, 0, None))(weights, buffers, x)
    loss = F.cross_entropy(outputs.flatten(0, 1), y.repeat(3))
    ensemble.zero_grad()
    loss.backward()
    ensemble.step()
print(f"ensemble {tuple(outputs.shape)}, loss {loss:.5f}, spread {outputs.var(0).mean():.5f}")
torch.save({"model": model.state_dict(), "weights": weights}, "model.pt")
