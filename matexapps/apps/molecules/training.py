"""How networks are trained by default, and the rows that they learn from."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from matexapps.apps.molecules.data.molecule_set import MoleculeSet
from matexapps.apps.molecules.networks.network import MoleculeNetwork
from matexapps.apps.molecules.tasks.registry import TASKS
from matexapps.data.dataset import DataSet
from matexapps.data.rows import Rows
from matexapps.experiment.splitting import Split

EPOCHS = 22
BATCH_SIZE = 32
LEARNING_RATE = 1e-3
_WARMUP = 0.1
_FINAL = 0.01


def molecule_rows(molecules: MoleculeSet, indices: NDArray[np.int64]) -> Rows:
    """Return rows that refer to molecules by their indices, for the Trainer.

    Feature and label are the index, the weight is the number of known values. The column is named
    after the digest of all structures and values, so that a checkpoint is not used with others.
    """
    known = np.isfinite(molecules.values[indices]).sum(1)
    return Rows(
        features=indices.astype(np.float32)[:, None],
        label=indices.astype(np.int64),
        weight=known.astype(np.float64),
        ids=indices.astype(np.int64),
        columns=[f"molecule of {molecules.digest()}"],
    )


def training_data(molecules: MoleculeSet, split: Split) -> DataSet:
    """Return the rows of each part."""
    parts = split.train, split.validation, split.test
    return DataSet.from_rows(*(molecule_rows(molecules, part) for part in parts))


def training_settings(network: MoleculeNetwork, molecules: MoleculeSet) -> dict[str, Any]:
    """Return epochs and Trainer settings for a network that has been adapted to its molecules."""
    task = TASKS[network.architecture.task]
    loss, metric = task.objective(molecules.values, network.target_mean, network.target_scale)
    return {
        "epochs": EPOCHS,
        "loss": loss,
        "metrics": [metric],
        "optimizer": partial(adamw, learning_rate=LEARNING_RATE),
        "scheduler": warmup_and_cosine,
        "schedule_every": "batch",
        "batch_size": BATCH_SIZE,
        "clip_norm": 1.0,
    }


def adamw(parameters: list[nn.Parameter], learning_rate: float) -> torch.optim.Optimizer:
    """AdamW with little weight decay; fused, which is faster for many small weights."""
    return torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=0.01, fused=True)


def warmup_and_cosine(optimizer: torch.optim.Optimizer, total: int) -> LambdaLR:
    """Raise the learning rate over a tenth of the steps, then lower it along a cosine.

    It ends at a hundredth of its maximum. Not a SequentialLR, which restores the old ``total`` from
    a checkpoint: where training continues for more epochs, its learning rate would rise again.
    """
    warmup = max(1, round(_WARMUP * total))

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / (warmup + 1)
        progress = min(1.0, (step - warmup) / max(1, total - warmup))
        return _FINAL + (1 - _FINAL) * (1 + math.cos(math.pi * progress)) / 2

    return LambdaLR(optimizer, factor)
