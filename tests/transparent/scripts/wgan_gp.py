"""WGAN with gradient penalty on a ring of points."""

import math

import torch
import torch.nn as nn
from torch import autograd

torch.manual_seed(0)
LAMBDA, CRITIC_ITERS, BATCH = 10, 2, 24

netG = nn.Sequential(nn.Linear(2, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 2))
netD = nn.Sequential(nn.Linear(2, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 1))
optimizerD = torch.optim.RMSprop(netD.parameters(), lr=1e-3)
optimizerG = torch.optim.RMSprop(netG.parameters(), lr=1e-3)


def real_points(n):
    angle = 2 * math.pi * torch.rand(n)
    return torch.stack([angle.cos(), angle.sin()], 1) + 0.05 * torch.randn(n, 2)


def calc_gradient_penalty(netD, real_data, fake_data):
    alpha = torch.rand(len(real_data), 1)
    interpolates = alpha * real_data + (1 - alpha) * fake_data
    interpolates.requires_grad_(True)
    disc_interpolates = netD(interpolates)
    gradients = autograd.grad(
        outputs=disc_interpolates,
        inputs=interpolates,
        grad_outputs=torch.ones_like(disc_interpolates),
        create_graph=True,
        retain_graph=True,
        only_inputs=True,
    )[0]
    return ((gradients.norm(2, dim=1) - 1) ** 2).mean() * LAMBDA


for iteration in range(6):
    for p in netD.parameters():
        p.requires_grad = True
    for _ in range(CRITIC_ITERS):
        real = real_points(BATCH)
        netD.zero_grad()
        with torch.no_grad():
            fake = netG(torch.randn(BATCH, 2))
        d_real = netD(real).mean()
        d_fake = netD(fake).mean()
        penalty = calc_gradient_penalty(netD, real, fake)
        d_cost = d_fake - d_real + penalty
        d_cost.backward()
        optimizerD.step()
    for p in netD.parameters():
        p.requires_grad = False
    netG.zero_grad()
    g_cost = -netD(netG(torch.randn(BATCH, 2))).mean()
    g_cost.backward()
    optimizerG.step()
    print(
        f"iter {iteration} D {d_cost.item():.5f} G {g_cost.item():.5f} "
        f"penalty {penalty.item():.5f} W {(d_real - d_fake).item():.5f}"
    )

torch.save({"generator": netG.state_dict(), "critic": netD.state_dict()}, "model.pt")
