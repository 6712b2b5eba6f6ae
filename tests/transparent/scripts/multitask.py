"""One trunk, two heads: the kind of a particle and its energy."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Particles(Dataset):
    """Items are dictionaries, as many data sets have them."""

    def __init__(self, n, seed):
        g = torch.Generator().manual_seed(seed)
        self.x = torch.randn(n, 6, generator=g)
        self.kind = (self.x[:, :3].sum(1) > 0).long() + (self.x[:, 3] > 1).long()
        self.energy = self.x[:, 2:].pow(2).sum(1, keepdim=True).sqrt()

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return {"features": self.x[i], "kind": self.kind[i], "energy": self.energy[i]}


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(6, 24), nn.ELU(), nn.Linear(24, 24), nn.ELU())
        self.kind = nn.Linear(24, 3)
        self.energy = nn.Linear(24, 1)

    def forward(self, features):
        shared = self.trunk(features)
        return {"kind": self.kind(shared), "energy": self.energy(shared)}


torch.manual_seed(21)
model = TwoHeads()
optimizer = torch.optim.AdamW(
    [
        {"params": model.trunk.parameters(), "lr": 1e-3},
        {"params": [*model.kind.parameters(), *model.energy.parameters()], "lr": 5e-3},
    ],
    weight_decay=1e-2,
)
classify, regress = nn.CrossEntropyLoss(), nn.SmoothL1Loss()

for epoch in range(3):
    sums = {"kind": 0.0, "energy": 0.0, "n": 0}
    for batch in DataLoader(Particles(120, seed=1), batch_size=25, shuffle=True):
        out = model(batch["features"])
        loss_kind = classify(out["kind"], batch["kind"])
        loss_energy = regress(out["energy"], batch["energy"])
        optimizer.zero_grad()
        (loss_kind + 0.5 * loss_energy).backward()
        optimizer.step()
        n = len(batch["kind"])
        sums["kind"] += loss_kind.item() * n
        sums["energy"] += loss_energy.item() * n
        sums["n"] += n
    print(
        f"epoch {epoch}: kind {sums['kind'] / sums['n']:.5f}, "
        f"energy {sums['energy'] / sums['n']:.5f}"
    )

test = Particles(60, seed=2)
model.eval()
with torch.no_grad():
    out = model(test.x)
print("kind accuracy", (out["kind"].argmax(1) == test.kind).float().mean().item())
print("energy MAE", (out["energy"] - test.energy).abs().mean().item())
torch.save(model.state_dict(), "model.pt")
