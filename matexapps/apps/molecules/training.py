"""How networks are trained by default, and the rows that they are trained on."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from matexapps.apps.molecules.data.molecule_set import MoleculeSet
from matexapps.apps.molecules.networks.network import MoleculeNetwork
from matexapps.apps.molecules.splits.split import Split
from matexapps.apps.molecules.tasks.registry import task_of
from matexapps.data.dataset import DataSet
from matexapps.data.rows import Rows
from matexapps.train.callbacks import EarlyStopping

EPOCHS = 22
BATCH_SIZE = 32
LEARNING_RATE = 1e-3
_WARM_UP = 0.1
_FINAL = 0.01


def molecule_rows(molecules: MoleculeSet, numbers: NDArray[np.int64]) -> Rows:
    """Return rows that name molecules by their numbers, for the Trainer.

    Feature and label are the number, the weight is how many values are known. The column is named
    after the fingerprint of all structures and values, so that a checkpoint is not used with
    others.
    """
    known = np.isfinite(molecules.values[numbers]).sum(1)
    return Rows(
        features=numbers.astype(np.float32)[:, None],
        label=numbers.astype(np.int64),
        weight=known.astype(np.float64),
        ids=numbers.astype(np.int64),
        columns=[f"molecule of {molecules.digest()}"],
    )


def training_data(molecules: MoleculeSet, split: Split) -> DataSet:
    """Return the rows of each part; molecules without any known value are left out."""

    def rows(numbers: NDArray[np.int64]) -> Rows:
        known = np.isfinite(molecules.values[numbers]).any(1)
        return molecule_rows(molecules, numbers[known])

    return DataSet.from_rows(rows(split.train), rows(split.validation), rows(split.test))


def training_settings(network: MoleculeNetwork, molecules: MoleculeSet) -> dict[str, Any]:
    """Return what a Trainer is given for a network that has been adapted to its molecules.

    The weights of the epoch with the least error on the validation molecules stay.
    """
    task = task_of(molecules.targets)
    loss, metric = task.objective(molecules.values, network.target_mean, network.target_scale)
    return {
        "loss": loss,
        "metrics": [metric],
        "optimizer": partial(adamw, learning_rate=LEARNING_RATE),
        "scheduler": warm_up_and_cosine,
        "schedule_every": "batch",
        "batch_size": BATCH_SIZE,
        "clip_norm": 1.0,
        "callbacks": [EarlyStopping(task.monitor, patience=10**6)],
    }


def adamw(parameters: list[nn.Parameter], learning_rate: float) -> torch.optim.Optimizer:
    """AdamW with little weight decay; fused, since so many small weights take their time."""
    return torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=0.01, fused=True)


def warm_up_and_cosine(optimizer: torch.optim.Optimizer, total: int) -> Any:
    """Learning rate up over a tenth of the steps, then down along a cosine to a hundredth."""
    rise = max(1, round(_WARM_UP * total))

    def factor(step: int) -> float:
        if step < rise:
            return (step + 1) / (rise + 1)
        done = min(1.0, (step - rise) / max(1, total - rise))
        return _FINAL + (1 - _FINAL) * (1 + math.cos(math.pi * done)) / 2

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
