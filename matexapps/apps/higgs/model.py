"""Networks that tell Higgs signal from background, and how each is trained by default."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from matexapps.apps.higgs.batch_ensemble import (
    BatchEnsemble,
    PiecewiseLinearEncoding,
    member_loss,
)
from matexapps.apps.higgs.kinematics import KinematicInputs
from matexapps.apps.higgs.schema import FEATURES
from matexapps.apps.higgs.units import column_units
from matexapps.errors import TrainingError, did_you_mean

NETWORKS = ("dnn2014", "present")
"""Names of the networks: the one of Baldi et al. 2014, and a present-day one."""

_LARGEST_DEVIATION = 6.0
_ROWS_AT_ONCE = 8192


class Standardize(nn.Module):
    """Inputs in units of their standard deviation from their mean, outliers drawn in.

    Missing values (NaN) become the mean.

    Parameters
    ----------
    values : Tensor, shape (rows, inputs)
        The training rows' inputs.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, values: Tensor) -> None:
        super().__init__()
        table, known = values.double().nan_to_num(0.0), ~values.isnan()
        count = known.sum(0).clamp_min(1)
        mean = table.sum(0) / count
        deviation = (((table - mean) * known).square().sum(0) / count).sqrt()
        self.register_buffer("mean", mean.float())
        self.register_buffer("deviation", torch.where(deviation > 0, deviation, 1.0).float())

    def forward(self, x: Tensor) -> Tensor:
        """Map (rows, inputs) to the same shape."""
        standard = ((x - self.mean) / self.deviation).nan_to_num(0.0)
        return standard.clamp(-_LARGEST_DEVIATION, _LARGEST_DEVIATION)


class Classifier(nn.Module):
    """Raw columns in, logits out: inputs, their scaling, and a network behind them.

    Parameters
    ----------
    inputs : nn.Module
        Computes the inputs from the raw columns.
    standardize : Standardize
    network : nn.Module
    """

    def __init__(self, inputs: nn.Module, standardize: Standardize, network: nn.Module) -> None:
        super().__init__()
        self.inputs, self.standardize, self.network = inputs, standardize, network

    def forward(self, features: Tensor) -> Tensor:
        """Map raw features, shape (rows, columns), to logits."""
        logits: Tensor = self.network(self.standardize(self.inputs(features)))
        return logits


def build_network(name: str, features: NDArray[np.float32], *, seed: int = 0) -> nn.Module:
    """Return an untrained network for rows like these.

    ``"dnn2014"`` is the deep network of Baldi, Sadowski and Whiteson, Nature Communications 5
    (2014) 4308: five hidden layers of 300 tanh units on the standardized columns, 370,201
    parameters for 28 columns. ``"present"`` is a batch ensemble on piecewise linear codes; for the
    28 columns of the HIGGS schema it stands on :class:`KinematicInputs`, for other columns on the
    columns as they are.

    Parameters
    ----------
    name : {"dnn2014", "present"}
    features : ndarray of float32, shape (rows, columns)
        The training rows, from which units and scaling are taken. NaN stands for a missing value.
    seed : int
        Seed of the initial weights.

    Returns
    -------
    nn.Module
        Takes raw features of shape (rows, columns). In evaluation it gives one logit a row; in
        training ``"present"`` gives one for each member.

    Raises
    ------
    TrainingError
        If there is no network of this name.
    """
    _check_name(name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if name == "dnn2014":
            standardize = Standardize(torch.from_numpy(features))
            return Classifier(nn.Identity(), standardize, _dnn2014(features.shape[1]))
        inputs = _physics_inputs(features)
        values = _computed(inputs, features)
        standardize = Standardize(values)
        encoding = PiecewiseLinearEncoding(standardize(values), bins=8)
        network = BatchEnsemble(encoding.outputs, members=8, width=128, depth=3, dropout=0.1)
        return Classifier(inputs, standardize, nn.Sequential(encoding, network))


def _check_name(name: str) -> None:
    if name not in NETWORKS:
        raise TrainingError(
            f"unknown network {name!r}{did_you_mean(name, NETWORKS)}; use one of "
            f"{', '.join(NETWORKS)}"
        )


def _physics_inputs(features: NDArray[np.float32]) -> nn.Module:
    if features.shape[1] != len(FEATURES):
        return nn.Identity()
    return KinematicInputs(column_units(features))


def _computed(inputs: nn.Module, features: NDArray[np.float32]) -> Tensor:
    with torch.no_grad():
        return torch.cat([inputs(part) for part in torch.from_numpy(features).split(_ROWS_AT_ONCE)])


def _dnn2014(columns: int) -> nn.Module:
    sizes = [columns, 300, 300, 300, 300, 300]
    layers: list[nn.Module] = []
    for size, following in pairwise(sizes):
        layer = nn.Linear(size, following)
        nn.init.xavier_uniform_(layer.weight, gain=nn.init.calculate_gain("tanh"))
        nn.init.zeros_(layer.bias)
        layers += [layer, nn.Tanh()]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], 1), nn.Flatten(0))


def adamw(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    """AdamW as both networks are trained with it."""
    return torch.optim.AdamW(parameters, lr=2e-3, weight_decay=0.01)


def one_cycle(optimizer: torch.optim.Optimizer, total: int) -> Any:
    """Learning rate up over a tenth of the steps, but at least two, then down along a cosine.

    With only one or two steps in all it stays as it is.
    """
    rise = max(0.1 * total, 2.0)
    if total <= rise:
        return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
    peak = [group["lr"] for group in optimizer.param_groups]
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer, peak, total_steps=total, pct_start=rise / total
    )


def default_training(name: str) -> dict[str, Any]:
    """Return epochs and :class:`~matexapps.train.trainer.Trainer` settings for a network.

    Fits ``cluster.fit(model, data, **default_training(name))`` as it is.

    Raises
    ------
    TrainingError
        If there is no network of this name.
    """
    _check_name(name)
    return {
        "epochs": 12,
        "loss": "binary_cross_entropy" if name == "dnn2014" else member_loss,
        "optimizer": adamw,
        "scheduler": one_cycle,
        "schedule_every": "batch",
        "batch_size": 256,
        "clip_norm": 1.0,
    }
