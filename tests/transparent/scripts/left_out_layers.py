"""Layers that are left out by chance from the first call on."""

import torch
from torch import nn

torch.manual_seed(0)


class Stochastic(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
        self.head = nn.Linear(4, 1)

    def forward(self, x):
        for layer in self.layers:
            if not self.training or torch.rand(1) < 0.7:
                x = x + torch.tanh(layer(x))
        return self.head(x)


net = Stochastic()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(20):
    x = torch.randn(11, 4)
    loss = (net(x) - x[:, :1]).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"{loss.item():.5f}")
torch.save(net.state_dict(), "model.pt")
