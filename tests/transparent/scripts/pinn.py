"""A physics-informed network for a damped oscillator: u'' + 0.4 u' + u = 0, u(0)=1, u'(0)=0."""

import torch
import torch.nn as nn

torch.manual_seed(123)


class FCN(nn.Module):
    def __init__(self, n_input, n_output, n_hidden, n_layers):
        super().__init__()
        self.fcs = nn.Sequential(nn.Linear(n_input, n_hidden), nn.Tanh())
        self.fch = nn.Sequential(
            *[nn.Sequential(nn.Linear(n_hidden, n_hidden), nn.Tanh()) for _ in range(n_layers - 1)]
        )
        self.fce = nn.Linear(n_hidden, n_output)

    def forward(self, x):
        return self.fce(self.fch(self.fcs(x)))


pinn = FCN(1, 1, 16, 2)
t_boundary = torch.tensor(0.0).view(-1, 1).requires_grad_(True)
t_physics = torch.linspace(0, 2, 30).view(-1, 1).requires_grad_(True)
optimizer = torch.optim.SGD(pinn.parameters(), lr=1e-2, momentum=0.9)
gamma, k = 0.4, 1.0

for i in range(12):
    optimizer.zero_grad()

    u = pinn(t_boundary)
    loss1 = (torch.squeeze(u) - 1) ** 2
    dudt = torch.autograd.grad(u, t_boundary, torch.ones_like(u), create_graph=True)[0]
    loss2 = (torch.squeeze(dudt) - 0) ** 2

    u = pinn(t_physics)
    dudt = torch.autograd.grad(u, t_physics, torch.ones_like(u), create_graph=True)[0]
    d2udt2 = torch.autograd.grad(dudt, t_physics, torch.ones_like(dudt), create_graph=True)[0]
    loss3 = torch.mean((d2udt2 + gamma * dudt + k * u) ** 2)

    loss = loss1 + 1e-1 * loss2 + 1e-1 * loss3
    loss.backward()
    optimizer.step()
    if i % 4 == 3:
        print(f"{i}: boundary {loss1.item():.5f} {loss2.item():.5f} physics {loss3.item():.5f}")

torch.save(pinn.state_dict(), "model.pt")
