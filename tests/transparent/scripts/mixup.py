"""Mixup: convex combinations of pairs of samples and of their losses."""
# ruff: noqa: NPY002

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

np.random.seed(0)
torch.manual_seed(0)


def mixup_data(x, y, alpha=1.0):
    lam = np.random.beta(alpha, alpha) if alpha > 0 else 1
    index = torch.randperm(x.size(0))
    mixed_x = lam * x + (1 - lam) * x[index, :]
    return mixed_x, y, y[index], lam


def mixup_criterion(criterion, pred, y_a, y_b, lam):
    return lam * criterion(pred, y_a) + (1 - lam) * criterion(pred, y_b)


X = np.random.randn(150, 7).astype(np.float32)
Y = (X[:, :3] > 0).sum(axis=1)
loader = DataLoader(
    TensorDataset(torch.from_numpy(X), torch.from_numpy(Y)), batch_size=30, shuffle=True
)
net = nn.Sequential(
    nn.Linear(7, 32, bias=False), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 4)
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)

for epoch in range(3):
    net.train()
    train_loss, correct, total = 0, 0, 0
    for inputs, targets in loader:
        inputs, targets_a, targets_b, lam = mixup_data(inputs, targets, 0.4)
        outputs = net(inputs)
        loss = mixup_criterion(criterion, outputs, targets_a, targets_b, lam)
        train_loss += loss.item()
        predicted = outputs.max(1)[1]
        total += targets.size(0)
        correct += (
            lam * predicted.eq(targets_a).sum().item()
            + (1 - lam) * predicted.eq(targets_b).sum().item()
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(
        f"Epoch {epoch} | Loss: {train_loss / len(loader):.4f} | Acc: {100 * correct / total:.3f}"
    )
torch.save(net.state_dict(), "model.pt")
