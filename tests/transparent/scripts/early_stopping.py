"""Stop when the validation loss no longer falls, and go back to the best weights."""

import os

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class EarlyStopping:
    def __init__(self, patience, path):
        self.patience, self.path = patience, path
        self.best, self.waited = float("inf"), 0

    def __call__(self, loss, model, optimizer, epoch):
        if loss < self.best - 1e-4:
            self.best, self.waited = loss, 0
            torch.save(
                {
                    "epoch": epoch,
                    "model_state_dict": model.state_dict(),
                    "optimizer_state_dict": optimizer.state_dict(),
                    "loss": loss,
                },
                self.path,
            )
            return False
        self.waited += 1
        return self.waited >= self.patience


torch.manual_seed(77)
os.makedirs("checkpoints", exist_ok=True)
best_path = os.path.join("checkpoints", "best.pt")

x = torch.randn(60, 12)
y = x[:, :1] + 0.8 * torch.randn(60, 1)
train = DataLoader(TensorDataset(x[:30], y[:30]), batch_size=10, shuffle=True)
model = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5)
stopping = EarlyStopping(patience=2, path=best_path)

for epoch in range(20):
    model.train()
    for a, b in train:
        optimizer.zero_grad()
        nn.functional.mse_loss(model(a), b).backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        valid = nn.functional.mse_loss(model(x[30:]), y[30:]).item()
    print(f"epoch {epoch:2d} valid {valid:.4f}")
    if stopping(valid, model, optimizer, epoch):
        print("stopped early")
        break

checkpoint = torch.load(best_path, weights_only=True)
model.load_state_dict(checkpoint["model_state_dict"])
optimizer.load_state_dict(checkpoint["optimizer_state_dict"])
with torch.no_grad():
    again = nn.functional.mse_loss(model(x[30:]), y[30:]).item()
print(f"best epoch {checkpoint['epoch']} loss {checkpoint['loss']:.4f}, loaded back {again:.4f}")
torch.save(model.state_dict(), "model.pt")
