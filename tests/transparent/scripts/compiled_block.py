"""A block inside a network given to torch.compile, here with the backend that only traces."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(9, 20), nn.Linear(20, 1)
        self.block = nn.Sequential(
            nn.Linear(20, 20), nn.BatchNorm1d(20), nn.ReLU(), nn.Dropout(0.2)
        )

    def forward(self, x):
        return self.last(self.block(self.first(x)))


torch.manual_seed(41)
model = Net()
model.block.compile(backend="eager")
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
x = torch.randn(61, 9)
y = x.abs().sum(1, keepdim=True)

for step in range(6):
    loss = nn.functional.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"{step}: {loss.item():.5f}")

torch.save(model.state_dict(), "model.pt")
