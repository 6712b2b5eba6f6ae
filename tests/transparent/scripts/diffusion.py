"""Denoising diffusion of points on two moons: random timesteps, then sampling back."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import make_moons

torch.manual_seed(9)
timesteps = 20
betas = torch.linspace(1e-3, 0.2, timesteps)
alphas = 1.0 - betas
alphas_cumprod = torch.cumprod(alphas, dim=0)


def sinusoidal_embedding(t, dim=8):
    freqs = torch.exp(-math.log(1000) * torch.arange(dim // 2) / (dim // 2))
    args = t[:, None].float() * freqs[None]
    return torch.cat([args.sin(), args.cos()], dim=-1)


class Denoiser(nn.Module):
    def __init__(self):
        super().__init__()
        self.time_mlp = nn.Sequential(nn.Linear(8, 16), nn.SiLU())
        self.input = nn.Linear(2, 16)
        self.output = nn.Sequential(nn.SiLU(), nn.Linear(16, 16), nn.SiLU(), nn.Linear(16, 2))

    def forward(self, x, t):
        return self.output(self.input(x) + self.time_mlp(sinusoidal_embedding(t)))


def q_sample(x0, t, noise):
    a = alphas_cumprod[t][:, None]
    return a.sqrt() * x0 + (1 - a).sqrt() * noise


@torch.no_grad()
def sample(model, n):
    x = torch.randn(n, 2)
    for i in reversed(range(timesteps)):
        t = torch.full((n,), i, dtype=torch.long)
        eps = model(x, t)
        x = (x - betas[i] / (1 - alphas_cumprod[i]).sqrt() * eps) / alphas[i].sqrt()
        if i > 0:
            x = x + betas[i].sqrt() * torch.randn_like(x)
    return x


points = torch.tensor(make_moons(160, noise=0.05, random_state=0)[0], dtype=torch.float32)
model = Denoiser()
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
for epoch in range(3):
    model.train()
    losses = []
    for batch in points[torch.randperm(len(points))].split(32):
        t = torch.randint(0, timesteps, (batch.shape[0],), device=batch.device).long()
        noise = torch.randn_like(batch)
        loss = F.mse_loss(model(q_sample(batch, t, noise), t), noise)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch}: {sum(losses) / len(losses):.6f}")

model.eval()
made = sample(model, 30)
print("mean", made.mean(0).tolist(), "std", made.std(0).tolist())
torch.save(model.state_dict(), "model.pt")
