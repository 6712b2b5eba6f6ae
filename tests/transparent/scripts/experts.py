"""Mixture of experts with hard routing: each row goes to one expert only."""

import torch
from torch import nn

torch.manual_seed(8)


class Experts(nn.Module):
    def __init__(self, n_experts=3, dim=4):
        super().__init__()
        self.gate = nn.Linear(dim, n_experts)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(dim, 12), nn.ReLU(), nn.Linear(12, 1)) for _ in range(n_experts)
        )

    def forward(self, x):
        weights = self.gate(x).softmax(dim=-1)
        best, chosen = weights.max(dim=-1)
        out = x.new_zeros(len(x), 1)
        for i, expert in enumerate(self.experts):
            rows = (chosen == i).nonzero(as_tuple=True)[0]
            if rows.numel() > 0:
                out = out.index_copy(0, rows, expert(x[rows]) * best[rows, None])
        return out, chosen


model = Experts()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for step in range(10):
    # Every other batch comes from one corner, so that some experts see nothing of it.
    x = torch.randn(12, 4) * (0.1 if step % 2 else 1.0) + (2.0 if step % 2 else 0.0)
    y = x.prod(dim=1, keepdim=True).tanh()
    out, chosen = model(x)
    loss = (out - y).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    counts = torch.bincount(chosen, minlength=3).tolist()
    print(f"{step} loss {loss.item():.6f} rows per expert {counts}")

torch.save(model.state_dict(), "model.pt")
