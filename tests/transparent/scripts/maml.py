"""Learning to learn sines: one step for each task by torch.func, its own gradient taken, too."""

import torch
from torch import nn
from torch.func import functional_call, grad, vmap
from torch.nn.functional import mse_loss

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(1, 20), nn.Tanh(), nn.Linear(20, 20), nn.Tanh(), nn.Linear(20, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)


def task():
    amplitude, phase = 4 * torch.rand(1) + 0.1, 3.14 * torch.rand(1)
    x = 10 * torch.rand(10, 1) - 5
    return x, amplitude * torch.sin(x + phase)


for iteration in range(4):
    meta_loss = 0.0
    for _ in range(3):
        (x, y), (x_new, y_new) = task(), task()
        params = dict(net.named_parameters())
        loss = mse_loss(functional_call(net, params, (x,)), y)
        grads = torch.autograd.grad(loss, params.values(), create_graph=True)
        fast = {name: p - 0.01 * g for (name, p), g in zip(params.items(), grads, strict=True)}
        meta_loss = meta_loss + mse_loss(functional_call(net, fast, (x_new,)), y_new)
    optimizer.zero_grad()
    meta_loss.backward()
    optimizer.step()
    print(f"iteration {iteration} loss {meta_loss.item():.5f}")


def loss_of_one(params, x, y):
    return mse_loss(functional_call(net, params, (x[None],)), y[None])


# A private step: the gradient of each row, cut to the same length, with noise.
params = {name: p.detach() for name, p in net.named_parameters()}
x, y = task()
each = vmap(grad(loss_of_one), in_dims=(None, 0, 0))(params, x, y)
norms = torch.stack([g.flatten(1).norm(dim=1) for g in each.values()]).norm(dim=0).clamp(min=1)
for name, p in net.named_parameters():
    clipped = each[name] / norms.view(-1, *[1] * p.dim())
    p.grad = clipped.mean(0) + 0.01 * torch.randn_like(p)
optimizer.step()
print(f"largest gradient of a row {norms.max().item():.4f}")
torch.save(net.state_dict(), "model.pt")
