"""Rows prepared by two worker processes, with random augmentation in each."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Spectra(Dataset):
    def __init__(self, n):
        g = torch.Generator().manual_seed(n)
        self.heights = torch.rand(n, generator=g)
        self.axis = torch.linspace(-3, 3, 24)

    def __len__(self):
        return len(self.heights)

    def __getitem__(self, i):
        spectrum = self.heights[i] * torch.exp(-self.axis.square())
        return spectrum + 0.05 * torch.randn(24), self.heights[i]


def main():
    torch.manual_seed(6)
    loader = DataLoader(Spectra(80), batch_size=20, shuffle=True, num_workers=2)
    model = nn.Sequential(nn.Linear(24, 16), nn.ReLU(), nn.Linear(16, 1), nn.Flatten(0))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(2):
        losses = []
        for spectra, heights in loader:
            loss = nn.functional.mse_loss(model(spectra), heights)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        print(f"epoch {epoch}: {torch.stack(losses).mean():.6f}")
    torch.save(model.state_dict(), "model.pt")


if __name__ == "__main__":
    main()
