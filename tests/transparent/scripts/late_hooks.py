"""Hooks that come after the first steps: gradients clamped, then watched, then scaled."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))
x = torch.randn(48, 6)
y = (x[:, 0] > 0).long()
loss_function = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)


def train(name):
    for rows, labels in zip(x.split(16), y.split(16), strict=True):
        optimizer.zero_grad()
        loss = loss_function(net(rows), labels)
        loss.backward()
        optimizer.step()
    print(f"{name}: {loss.item():.5f}")


train("plain")
clamps = [p.register_hook(lambda gradient: gradient.clamp(-0.01, 0.01)) for p in net.parameters()]
train("clamped")
for clamp in clamps:
    clamp.remove()
norms = []
watch = net[2].register_full_backward_hook(lambda module, into, out: norms.append(out[0].norm()))
train("watched")
watch.remove()
print("norms", [round(norm.item(), 5) for norm in norms])


def double(parameter):
    parameter.grad *= 2


scale = net[0].weight.register_post_accumulate_grad_hook(double)
train("scaled")
scale.remove()
train("plain again")
torch.save(net.state_dict(), "model.pt")
