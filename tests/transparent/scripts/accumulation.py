"""Small batches, large effective batch: gradients of four batches are added up."""

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(9)
accumulation_steps = 4

X = torch.randn(210, 10)
w = torch.randn(10, 1)
Y = X @ w + 0.1 * torch.randn(210, 1)
loader = DataLoader(TensorDataset(X, Y), batch_size=14, shuffle=True)

model = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
criterion = nn.MSELoss()

for epoch in range(2):
    optimizer.zero_grad()
    running_loss = 0.0
    for i, (inputs, targets) in enumerate(loader):
        outputs = model(inputs)
        loss = criterion(outputs, targets) / accumulation_steps
        loss.backward()
        running_loss += loss.item() * accumulation_steps
        if (i + 1) % accumulation_steps == 0 or (i + 1) == len(loader):
            optimizer.step()
            optimizer.zero_grad()
    print("epoch %d, loss: %.6f" % (epoch + 1, running_loss / len(loader)))  # noqa: UP031

print("done")
torch.save(model.state_dict(), "model.pt")
