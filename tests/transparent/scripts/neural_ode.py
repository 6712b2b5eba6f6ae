"""A neural ODE by hand: Euler steps along a spiral."""

from itertools import pairwise

import torch
from torch import nn

torch.manual_seed(71)


class ODEFunc(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 24), nn.Tanh(), nn.Linear(24, 2))
        for m in self.net.modules():
            if isinstance(m, nn.Linear):
                nn.init.normal_(m.weight, mean=0, std=0.1)
                nn.init.constant_(m.bias, val=0)

    def forward(self, t, y):
        return self.net(y**3)


def odeint(func, y0, ts):
    path = [y0]
    for t0, t1 in pairwise(ts):
        path.append(path[-1] + (t1 - t0) * func(t0, path[-1]))
    return torch.stack(path)


true_A = torch.tensor([[-0.1, 2.0], [-2.0, -0.1]])
ts = torch.linspace(0.0, 0.5, 8)
with torch.no_grad():
    starts = torch.rand(40, 2) + 0.5
    truth = odeint(lambda t, y: (y**3) @ true_A, starts, ts)

func = ODEFunc()
optimizer = torch.optim.RMSprop(func.parameters(), lr=1e-2)
for itr in range(1, 7):
    rows = torch.randperm(40)[:20]
    optimizer.zero_grad()
    predicted = odeint(func, starts[rows], ts)
    loss = torch.mean(torch.abs(predicted - truth[:, rows]))
    loss.backward()
    optimizer.step()
    print(f"Iter {itr:04d} | Total Loss {loss.item():.6f}")
torch.save(func.state_dict(), "model.pt")
