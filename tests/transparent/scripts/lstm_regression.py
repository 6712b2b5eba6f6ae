"""Predict the next value of a noisy sine wave from the last twelve."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(42)
rng = np.random.default_rng(42)


class Windows(Dataset):
    def __init__(self, series, length):
        self.series = torch.tensor(series, dtype=torch.float32)
        self.length = length

    def __len__(self):
        return len(self.series) - self.length

    def __getitem__(self, i):
        return self.series[i : i + self.length].unsqueeze(-1), self.series[i + self.length]


class Forecaster(nn.Module):
    def __init__(self, hidden=16):
        super().__init__()
        self.lstm = nn.LSTM(1, hidden, num_layers=2, batch_first=True, dropout=0.2)
        self.head = nn.Linear(hidden, 1)

    def forward(self, x):
        out, _ = self.lstm(x)
        return self.head(out[:, -1]).squeeze(-1)


t = np.arange(220)
series = np.sin(0.2 * t) + 0.05 * rng.standard_normal(len(t))
train_loader = DataLoader(Windows(series[:160], 12), batch_size=32, shuffle=True)
valid_loader = DataLoader(Windows(series[160:], 12), batch_size=32)

model = Forecaster()
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

for epoch in range(3):
    model.train()
    train_losses = []
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=0.5)
        optimizer.step()
        train_losses.append(loss.item())

    model.eval()
    with torch.no_grad():
        valid_losses = [criterion(model(x), y).item() for x, y in valid_loader]
    print(
        f"epoch {epoch + 1}: train {np.mean(train_losses):.5f} "
        f"valid {np.mean(valid_losses):.5f} last gradient norm {norm:.4f}"
    )

torch.save(model.state_dict(), "model.pt")
