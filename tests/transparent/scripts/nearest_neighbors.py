"""Each point sees its three nearest in the batch; batch normalization follows."""

import torch
from torch import nn

torch.manual_seed(0)


class Neighbors(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(6)
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        nearest = torch.cdist(x, x).topk(3, dim=1).indices
        return self.fc(self.norm(torch.cat([x, x[nearest].mean(1)], 1)))


model = Neighbors()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for step in range(4):
    x, y = torch.randn(5, 3), torch.randint(0, 3, (5,))
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step {step} loss {loss.item():.5f}")
torch.save(model.state_dict(), "model.pt")
