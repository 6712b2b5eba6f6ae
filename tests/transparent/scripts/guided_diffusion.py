"""Class-guided diffusion: each row has its own time in training, all have one when sampling."""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
STEPS, NO_CLASS = 20, 3


class Denoiser(nn.Module):
    def __init__(self):
        super().__init__()
        self.time = nn.Embedding(STEPS, 16)
        self.kind = nn.Embedding(NO_CLASS + 1, 16)
        self.inputs = nn.Linear(2, 16)
        self.outputs = nn.Sequential(nn.SiLU(), nn.Linear(16, 16), nn.SiLU(), nn.Linear(16, 2))

    def forward(self, x, t, kind):
        return self.outputs(self.inputs(x) + self.time(t) + self.kind(kind))


net = Denoiser()
optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2)
betas = torch.linspace(1e-4, 0.2, STEPS)
kept = (1 - betas).cumprod(0)
points, kinds = torch.randn(80, 2) + 2, torch.randint(0, NO_CLASS, (80,))


def loss_of(x, kind):
    t = torch.randint(0, STEPS, (len(x),))
    noise = torch.randn_like(x)
    kind = torch.where(torch.rand(len(kind)) < 0.1, torch.full_like(kind, NO_CLASS), kind)
    noisy = kept[t].sqrt()[:, None] * x + (1 - kept[t]).sqrt()[:, None] * noise
    return F.mse_loss(net(noisy, t, kind), noise)


for epoch in range(3):
    net.train()
    for x, kind in zip(points[:64].split(16), kinds[:64].split(16), strict=True):
        loss = loss_of(x, kind)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        validation = loss_of(points[64:], kinds[64:])
    print(f"epoch {epoch} loss {loss.item():.5f} validation {validation.item():.5f}")

with torch.no_grad():
    x = torch.randn(12, 2)
    for step in reversed(range(STEPS)):
        t = torch.tensor([step])
        guided = net(x, t, torch.randint(0, NO_CLASS, (12,)))
        free = net(x, t, torch.tensor([NO_CLASS]))
        noise = free + 2 * (guided - free)
        x = (x - betas[step] / (1 - kept[step]).sqrt() * noise) / (1 - betas[step]).sqrt()
        if step:
            x = x + betas[step].sqrt() * torch.randn_like(x)
print("mean of samples", [round(value, 4) for value in x.mean(0).tolist()])
torch.save(net.state_dict(), "model.pt")
