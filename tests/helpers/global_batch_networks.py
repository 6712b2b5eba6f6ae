"""Networks in which what is computed of a row depends on other rows, or on random numbers."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

import matexapps as mx

ROWS, COLUMNS, STEPS, BATCH = 157, 12, 4, 31


def data_set(rows: int = ROWS, **settings) -> mx.DataSet:
    rng = np.random.default_rng(5)
    features = rng.normal(size=(rows, COLUMNS)).astype(np.float32)
    label = features[:, 0] + features[:, 1] ** 2 + rng.normal(size=rows) > 1
    settings = {"validation": 0.2, "test": 0.1, **settings}
    return mx.DataSet.from_arrays(features, label.astype(np.float32), **settings)


class Sequences(nn.Module):
    """Reads a row's columns as a sequence."""

    def __init__(self, body: nn.Module, width: int, time_first: bool = False) -> None:
        super().__init__()
        self.body, self.time_first = body, time_first
        self.inputs, self.output = nn.Linear(COLUMNS // STEPS, width), nn.Linear(width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.inputs(x.view(len(x), STEPS, -1))
        x = self.body(x.transpose(0, 1) if self.time_first else x)
        x = x[0] if isinstance(x, tuple) else x
        return self.output(x.mean(0 if self.time_first else 1))


class SelfAttention(nn.MultiheadAttention):
    def forward(self, x):
        return super().forward(x, x, x)


class Noisy(nn.Module):
    """Draws random numbers without any layer for it, and sums over the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(COLUMNS, 16), nn.Linear(16, 1)

    def forward(self, x):
        x = functional.dropout(self.first(x).relu(), 0.2, self.training)
        if not self.training:
            return self.last(x)
        x = x + 0.1 * torch.rand(len(x), 1) + 0.1 * torch.randn_like(x)
        scale = 1 + 0.1 * torch.rand(1)
        return self.last((x - x.mean(0)) * scale + 0.01 * x.sum(0, keepdim=True))


class Recomputed(nn.Module):
    """Computes its middle again in the backward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(COLUMNS, 16), nn.Linear(16, 1)
        self.middle = nn.Sequential(nn.Linear(16, 16), nn.Dropout(0.3), nn.Tanh())

    def forward(self, x):
        x = self.first(x)
        x = checkpoint(self.middle, x, use_reentrant=False)
        return self.last(checkpoint(self.middle, x, use_reentrant=True))


class Skipping(nn.Module):
    """Leaves a block out at random, for all rows at the same time (stochastic depth)."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Linear(COLUMNS, COLUMNS), nn.Tanh())
        self.last = nn.Linear(COLUMNS, 1)

    def forward(self, x):
        return self.last(x + self.block(x) if torch.rand(1) < 0.6 else x)


class AlwaysDropping(nn.Module):
    """Draws in evaluation too, as for the uncertainty of predictions (Monte Carlo dropout)."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(COLUMNS, 16), nn.Linear(16, 1)

    def forward(self, x):
        return self.last(functional.dropout(self.first(x).relu(), 0.2))


def images() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (1, 3, 4)), nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(),
        nn.Dropout2d(0.2), nn.Conv2d(6, 4, 3, padding=1), nn.BatchNorm2d(4, momentum=None),
        nn.ReLU(), nn.Flatten(), nn.Linear(48, 1),
    )  # fmt: skip


def encoder(**settings) -> nn.Module:
    return nn.TransformerEncoderLayer(8, 2, 16, dropout=0.2, **settings)


NETWORKS = {
    "dropout": lambda: nn.Sequential(
        nn.Linear(COLUMNS, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 8), nn.AlphaDropout(0.1),
        nn.Linear(8, 1),
    ),
    "batch norm 1d": lambda: nn.Sequential(
        nn.Linear(COLUMNS, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 8),
        nn.BatchNorm1d(8, affine=False), nn.Tanh(), nn.Linear(8, 1),
    ),
    "batch norm 2d": images,
    "both": lambda: nn.Sequential(
        nn.Linear(COLUMNS, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 1),
    ),
    "lstm": lambda: Sequences(nn.LSTM(8, 8, 2, dropout=0.3, batch_first=True), 8),
    "gru": lambda: Sequences(nn.GRU(8, 8, 3, dropout=0.3), 8, time_first=True),
    "transformer": lambda: Sequences(encoder(batch_first=True), 8),
    "transformer, time first": lambda: Sequences(encoder(norm_first=True), 8, time_first=True),
    "attention": lambda: Sequences(SelfAttention(8, 2, dropout=0.2, batch_first=True), 8),
    "functions": Noisy,
    "recomputed": Recomputed,
    "stochastic depth": Skipping,
    "dropout in evaluation": AlwaysDropping,
    "batch norm in evaluation": lambda: nn.Sequential(
        nn.Linear(COLUMNS, 16), nn.BatchNorm1d(16, track_running_stats=False), nn.ReLU(),
        nn.Linear(16, 1),
    ),
}  # fmt: skip


def network(name: str) -> nn.Module:
    torch.manual_seed(0)
    return NETWORKS[name]()


def flat(model: nn.Module) -> list[float]:
    return torch.cat(
        [p.detach().reshape(-1).double() for p in model.state_dict().values()]
    ).tolist()


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9)


def trainer_of(name: str, batch_size: int = BATCH, **settings) -> mx.Trainer:
    return mx.Trainer(network(name), batch_size=batch_size, optimizer=sgd, seed=3, **settings)


def train(trainer: mx.Trainer, rows: int = ROWS, **settings) -> dict[str, list[float]]:
    """Train on all ranks, and return what must not depend on how many there are."""
    data = data_set(rows)
    history = trainer.fit(data, epochs=2, **settings)
    return {
        "losses": [row["loss"] for row in history.rows],
        "validation": [row["validation_loss"] for row in history.rows],
        "weights": flat(trainer.model),
        "predictions": trainer.predict(data.test)[:, 0].tolist(),
    }
