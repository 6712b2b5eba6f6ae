"""Batches and predictions as objects, and networks that write into what they are given."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader

torch.manual_seed(14)


@dataclass
class Batch:
    x: torch.Tensor
    lengths: torch.Tensor
    y: torch.Tensor

    @property
    def mask(self):
        return torch.arange(self.x.size(1))[None] < self.lengths[:, None]

    def to(self, device):
        return Batch(self.x.to(device), self.lengths.to(device), self.y.to(device))


@dataclass
class Prediction:
    mean: torch.Tensor
    log_variance: torch.Tensor
    attention: torch.Tensor

    def loss(self, y):
        return (0.5 * (self.log_variance + (y - self.mean) ** 2 / self.log_variance.exp())).mean()


class Pooling(nn.Module):
    def __init__(self):
        super().__init__()
        self.features, self.score = nn.Linear(3, 8), nn.Linear(8, 1, bias=False)
        self.out, self.dropout = nn.Linear(8, 2), nn.Dropout(0.1)

    def forward(self, batch: Batch) -> Prediction:
        hidden = torch.tanh(self.features(batch.x))
        attention = self.score(hidden).squeeze(2).masked_fill(~batch.mask, -1e9).softmax(1)
        pooled = self.dropout((attention[..., None] * hidden).sum(1))
        return Prediction(*self.out(pooled).unbind(1), attention)


class Energy(nn.Module):
    def __init__(self):
        super().__init__()
        self.features, self.out = nn.Linear(4, 8), nn.Linear(8, 1)

    def forward(self, atoms):
        atoms["hidden"] = torch.tanh(self.features(atoms["positions"]))
        atoms["energy"] = self.out(atoms["hidden"]).sum((1, 2))
        return atoms


class Centerd(nn.Linear):
    def forward(self, x):
        x -= x.mean(1, keepdim=True)
        return super().forward(x)


def collate(rows):
    lengths = torch.tensor([len(row) for row in rows])
    return Batch(pad_sequence(rows, True), lengths, torch.stack([row.sum() for row in rows]))


rows = [torch.randn(length, 3) for length in torch.randint(2, 7, (47,)).tolist()]
positions = torch.randn(40, 3, 4)
pooling, energy, centerd = Pooling(), Energy(), Centerd(4, 4)
parameters = [*pooling.parameters(), *energy.parameters(), *centerd.parameters()]
optimizer = torch.optim.Adam(parameters, lr=0.02)
for epoch in range(3):
    for batch in DataLoader(rows, 10, shuffle=True, collate_fn=collate):
        prediction = pooling(batch.to("cpu"))
        at = positions[torch.randperm(40)[:11]].requires_grad_()
        atoms = {"positions": at}
        result = energy(atoms)
        (slope,) = torch.autograd.grad(atoms["energy"].sum(), at, create_graph=True)
        given = at.detach()[:, 0].clone()
        loss = (
            prediction.loss(batch.y)
            + F.mse_loss(slope, at)
            + F.mse_loss(result["energy"], at.square().sum((1, 2)))
            + F.mse_loss(centerd(given), given)
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch}: loss {loss:.5f}, attention up to {prediction.attention.max():.4f}")
names = {"pooling": pooling, "energy": energy, "centerd": centerd}
torch.save({name: network.state_dict() for name, network in names.items()}, "model.pt")
