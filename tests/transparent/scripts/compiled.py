"""torch.compile, here with the backend that only traces."""

import torch
from torch import nn


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(9, 20), nn.Linear(20, 20), nn.Linear(20, 1)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x):
        x = torch.relu(self.fc1(x))
        x = self.dropout(torch.relu(self.fc2(x)))
        return self.fc3(x)


torch.manual_seed(88)
model = MLP()
compiled = torch.compile(model, backend="eager")
optimizer = torch.optim.Adam(compiled.parameters(), lr=1e-2)
x = torch.randn(64, 9)
y = x.abs().sum(1, keepdim=True)

for step in range(6):
    loss = nn.functional.huber_loss(compiled(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"{step}: {loss.item():.5f}")

compiled.eval()
with torch.no_grad():
    print(f"mean absolute error {(compiled(x) - y).abs().mean().item():.5f}")
torch.save(model.state_dict(), "model.pt")
