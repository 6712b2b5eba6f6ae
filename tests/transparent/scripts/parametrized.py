"""Weight normalization, spectral normalization and a parametrization of one's own."""

import torch
import torch.nn.utils.parametrize as parametrize
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

torch.manual_seed(19)


class Symmetric(nn.Module):
    def forward(self, X):
        return X.triu() + X.triu(1).transpose(-1, -2)


model = nn.Sequential(
    weight_norm(nn.Linear(5, 12)),
    nn.Tanh(),
    nn.Linear(12, 12),
    nn.Tanh(),
    spectral_norm(nn.Linear(12, 12)),
    nn.Tanh(),
    nn.Linear(12, 1),
)
parametrize.register_parametrization(model[2], "weight", Symmetric())
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5)

x = torch.randn(48, 5)
y = x[:, :1] * x[:, 1:2]
for step in range(12):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
    if step % 3 == 2:
        print(f"step {step} loss {loss.item():.6f}")

model.eval()
weight = model[2].weight
print("symmetric:", torch.equal(weight, weight.T))
print(f"largest singular value {torch.linalg.matrix_norm(model[4].weight, 2).item():.4f}")
torch.save(model.state_dict(), "model.pt")
