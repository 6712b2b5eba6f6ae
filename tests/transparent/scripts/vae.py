"""A variational autoencoder, which draws random numbers inside the network."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(2)
images = (torch.rand(130, 36) > 0.5).float()


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode = nn.Linear(36, 24)
        self.mean, self.log_variance = nn.Linear(24, 4), nn.Linear(24, 4)
        self.decode = nn.Sequential(nn.Linear(4, 24), nn.ReLU(), nn.Linear(24, 36))

    def forward(self, x):
        hidden = F.relu(self.encode(x))
        mean, log_variance = self.mean(hidden), self.log_variance(hidden)
        code = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        return torch.sigmoid(self.decode(code)), mean, log_variance


model = VAE()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for epoch in range(3):
    total = 0.0
    for (batch,) in DataLoader(TensorDataset(images), batch_size=32, shuffle=True):
        optimizer.zero_grad()
        made, mean, log_variance = model(batch)
        loss = F.binary_cross_entropy(made, batch, reduction="sum")
        loss = loss - 0.5 * torch.sum(1 + log_variance - mean.pow(2) - log_variance.exp())
        loss.backward()
        total += loss.item()
        optimizer.step()
    print(f"epoch {epoch} loss per image {total / len(images):.5f}")
torch.save(model.state_dict(), "model.pt")
