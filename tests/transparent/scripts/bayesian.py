"""Bayes by backprop: each layer keeps its KL divergence on itself, the loss adds them up."""

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(66)


class BayesianLinear(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.mu = nn.Parameter(torch.empty(n_out, n_in).uniform_(-0.3, 0.3))
        self.rho = nn.Parameter(torch.full((n_out, n_in), -4.0))
        self.bias = nn.Parameter(torch.zeros(n_out))
        self.kl = 0.0

    def forward(self, x):
        sigma = F.softplus(self.rho)
        self.kl = (0.5 * (sigma**2 + self.mu**2) - torch.log(sigma) - 0.5).sum()
        # The local reparametrization draws activations instead of weights.
        mean = F.linear(x, self.mu, self.bias)
        std = torch.sqrt(F.linear(x**2, sigma**2) + 1e-8)
        return mean + std * torch.randn_like(mean)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.l1, self.l2 = BayesianLinear(3, 16), BayesianLinear(16, 1)

    def forward(self, x):
        out = self.l2(torch.relu(self.l1(x)))
        self.kl = self.l1.kl + self.l2.kl
        return out


x = torch.rand(80, 3) * 4 - 2
y = torch.sin(x[:, :1]) * x[:, 1:2] + 0.1 * torch.randn(80, 1)
net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(3):
    for rows in torch.randperm(80).split(27):
        optimizer.zero_grad()
        fit = F.mse_loss(net(x[rows]), y[rows])
        loss = fit + 1e-3 * net.kl
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch} fit {fit.item():.5f} kl {net.kl.item():.4f}")

with torch.no_grad():
    draws = torch.stack([net(x) for _ in range(5)])
print(f"uncertainty {draws.std(0).mean().item():.5f}")
torch.save(net.state_dict(), "model.pt")
