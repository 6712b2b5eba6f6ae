"""A filter with complex weights, learnt in the frequency domain."""

import torch
from torch import nn

torch.manual_seed(23)
length = 16


class SpectralFilter(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(0.3 * torch.randn(length // 2 + 1, dtype=torch.cfloat))
        self.mix = nn.Linear(length, length, dtype=torch.complex64)
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, signal):
        spectrum = torch.fft.rfft(signal) * self.weight
        filtered = torch.fft.irfft(spectrum, n=length)
        return self.scale * filtered + self.mix(filtered.to(torch.complex64)).abs()


signals = torch.randn(60, length)
kernel = torch.exp(-torch.arange(length).float() / 3)
wanted = torch.fft.irfft(torch.fft.rfft(signals) * torch.fft.rfft(kernel), n=length)

model = SpectralFilter()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for epoch in range(3):
    order = torch.randperm(len(signals))
    for rows in order.split(20):
        loss = (model(signals[rows]) - wanted[rows]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch} loss {loss.item():.5f} |w| {model.weight.abs().mean().item():.5f}")

torch.save(model.state_dict(), "model.pt")
