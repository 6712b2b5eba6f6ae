"""Squeeze eight correlated measurements through two numbers; ReduceLROnPlateau sets the pace."""

import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import DataLoader, TensorDataset, random_split


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 2))
        self.decoder = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 8))

    def forward(self, x):
        code = self.encoder(x)
        return self.decoder(code), code


torch.manual_seed(3)
latent = torch.randn(200, 2)
measurements = torch.tanh(latent @ torch.randn(2, 8)) + 0.02 * torch.randn(200, 8)
train_set, valid_set = random_split(
    TensorDataset(measurements), [150, 50], generator=torch.Generator().manual_seed(3)
)
train_loader = DataLoader(train_set, batch_size=40, shuffle=True)
valid_loader = DataLoader(valid_set, batch_size=50)

model = Autoencoder()
optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.5)
scheduler = ReduceLROnPlateau(optimizer, mode="min", factor=0.3, patience=0)
mse = nn.MSELoss()

for epoch in range(6):
    for (x,) in train_loader:
        reconstruction, _ = model(x)
        loss = mse(reconstruction, x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        valid = sum(mse(model(x)[0], x).item() * len(x) for (x,) in valid_loader) / len(valid_set)
    scheduler.step(valid)
    print(f"epoch {epoch} valid {valid:.5f} lr {optimizer.param_groups[0]['lr']:.5f}")

with torch.no_grad():
    codes = model.encoder(measurements)
print("spread of the codes:", [round(v, 4) for v in codes.std(0).tolist()])
torch.save(model.state_dict(), "model.pt")
