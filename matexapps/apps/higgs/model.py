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
from matexapps.apps.higgs.settings import NETWORKS
from matexapps.apps.higgs.units import column_units
from matexapps.errors import TrainingError, did_you_mean

_LARGEST_DEVIATION = 6.0
_ROWS_AT_ONCE = 8192


class Standardize(nn.Module):
    """Inputs in units of their standard deviation from their mean, outliers drawn in.

    Missing values (NaN) become the mean. Unlike :class:`matexapps.train.standardize.Standardize`
    it can stand behind inputs that the network computes itself.

    Parameters
    ----------
    inputs : int
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("deviation", torch.ones(inputs))

    def fit(self, values: Tensor) -> None:
        """Take means and deviations from the training rows' inputs, shape (rows, inputs)."""
        table, known = values.double().nan_to_num(0.0), ~values.isnan()
        count = known.sum(0).clamp_min(1)
        mean = table.sum(0) / count
        deviation = (((table - mean) * known).square().sum(0) / count).sqrt()
        self.mean.copy_(mean)
        self.deviation.copy_(torch.where(deviation > 0, deviation, 1.0))

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
    encoding : PiecewiseLinearEncoding or nn.Identity
        Encodes the standardized inputs.
    network : nn.Module
    """

    def __init__(
        self,
        inputs: nn.Module,
        standardize: Standardize,
        encoding: PiecewiseLinearEncoding | nn.Identity,
        network: nn.Module,
    ) -> None:
        super().__init__()
        self.inputs, self.standardize = inputs, standardize
        self.encoding, self.network = encoding, network

    def fit_inputs(self, features: NDArray[np.float32]) -> None:
        """Take units and scales from the training rows, shape (rows, columns)."""
        if isinstance(self.inputs, KinematicInputs):
            self.inputs.units.copy_(torch.from_numpy(column_units(features)))
        with torch.no_grad():
            parts = torch.from_numpy(features).split(_ROWS_AT_ONCE)
            values = torch.cat([self.inputs(part) for part in parts])
            self.standardize.fit(values)
            if isinstance(self.encoding, PiecewiseLinearEncoding):
                self.encoding.fit(self.standardize(values))

    def forward(self, features: Tensor) -> Tensor:
        """Map raw features, shape (rows, columns), to logits."""
        logits: Tensor = self.network(self.encoding(self.standardize(self.inputs(features))))
        return logits


def build_network(name: str, features: NDArray[np.float32], *, seed: int = 0) -> Classifier:
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
    Classifier
        Takes raw features of shape (rows, columns). In evaluation it gives one logit a row; in
        training ``"present"`` gives one for each member.

    Raises
    ------
    TrainingError
        If there is no network of this name.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = empty_network(name, features.shape[1])
    network.fit_inputs(features)
    return network


def empty_network(name: str, columns: int) -> Classifier:
    """Return a network of :func:`build_network` that knows neither units nor scales yet.

    Parameters
    ----------
    name : {"dnn2014", "present"}
    columns : int
    """
    _check_name(name)
    if name == "dnn2014":
        return Classifier(nn.Identity(), Standardize(columns), nn.Identity(), _dnn2014(columns))
    is_higgs = columns == len(FEATURES)
    inputs = KinematicInputs(np.ones(columns, np.float32)) if is_higgs else nn.Identity()
    width = KinematicInputs.outputs if is_higgs else columns
    encoding = PiecewiseLinearEncoding(width, bins=8)
    network = BatchEnsemble(encoding.outputs, members=8, width=128, depth=3, dropout=0.1)
    return Classifier(inputs, Standardize(width), encoding, network)


def _check_name(name: str) -> None:
    if name not in NETWORKS:
        raise TrainingError(
            f"unknown network {name!r}{did_you_mean(name, NETWORKS)}; use one of "
            f"{', '.join(NETWORKS)}"
        )


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
