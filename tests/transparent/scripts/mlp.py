"""Classify points in a ring, as a first tutorial does."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = torch.randn(230, 4)
y = (x[:, 0] ** 2 + x[:, 1] ** 2 > 1).long()
train = DataLoader(TensorDataset(x[:200], y[:200]), batch_size=48, shuffle=True)
test = DataLoader(TensorDataset(x[200:], y[200:]), batch_size=16)
model = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 2))
loss_function = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2, gamma=0.5)

for epoch in range(4):
    model.train()
    running = 0.0
    for features, labels in train:
        optimizer.zero_grad()
        loss = loss_function(model(features), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        running += loss.item() * len(labels)
    scheduler.step()
    model.eval()
    correct = 0
    with torch.no_grad():
        for features, labels in test:
            correct += (model(features).argmax(1) == labels).sum().item()
    print(f"epoch {epoch} loss {running / 200:.6f} accuracy {correct / 30:.4f}")
torch.save(model.state_dict(), "model.pt")
