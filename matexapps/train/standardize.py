"""A layer that brings every column to mean 0 and standard deviation 1 of the training rows."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from matexapps.comm.communicator import Communicator
from matexapps.data.dataset import DataSet
from matexapps.data.statistics import Statistics
from matexapps.errors import TrainingError


class Standardize(nn.Module):
    """Subtracts each column's mean and divides by its standard deviation.

    Put it first in a network. The trainer sets it before the first epoch from all training rows.
    The numbers are buffers, so checkpoints keep them with the weights, and the network needs
    nothing else to predict. Columns that do not vary become 0.

    Parameters
    ----------
    columns : int or tuple of int
        How many columns there are, or the shape of a sample.
    missing : {None, "mean"}
        ``"mean"`` replaces a missing value by the column's mean, which becomes 0. None leaves NaN,
        and is an error if a training value is missing.
    """

    mean: torch.Tensor
    scale: torch.Tensor
    known: torch.Tensor

    def __init__(self, columns: int | tuple[int, ...], missing: str | None = None) -> None:
        super().__init__()
        if missing not in (None, "mean"):
            raise TrainingError(f'missing={missing!r} is not known: use "mean" or None')
        shape = (columns,) if isinstance(columns, int) else tuple(columns)
        self.missing = missing
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("scale", torch.ones(shape))
        self.register_buffer("known", torch.tensor(False))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return standardized features, of the same shape (rows, columns)."""
        standard = (features - self.mean) * self.scale
        return torch.nan_to_num(standard, nan=0.0) if self.missing == "mean" else standard

    def adapt(self, statistics: Statistics) -> None:
        """Set means and scales from the statistics of the training rows.

        Raises
        ------
        TrainingError
            If the shape differs, or values are missing and ``missing`` is None.
        """
        if statistics.mean.shape != tuple(self.mean.shape):
            raise TrainingError(
                f"Standardize({tuple(self.mean.shape)}) does not fit samples of shape "
                f"{statistics.mean.shape}: give the shape that the data have"
            )
        if self.missing is None and statistics.missing.any():
            column = int(np.argmax(statistics.missing.ravel() > 0))
            name = statistics.columns[column] if statistics.mean.ndim == 1 else f"value {column}"
            raise TrainingError(
                f"{name!r} has {statistics.missing.ravel()[column]:,} missing training values: say "
                'what stands for them, as with Standardize(..., missing="mean")'
            )
        spread = statistics.std
        varies = spread > 0
        scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=varies)
        self.mean.copy_(torch.from_numpy(statistics.mean))
        self.scale.copy_(torch.from_numpy(scale))
        self.known.fill_(True)

    def extra_repr(self) -> str:
        """Return the settings for ``print(model)``."""
        return f"{tuple(self.mean.shape)}, missing={self.missing!r}"


def fit_standardize(model: nn.Module, data: DataSet, comm: Communicator) -> None:
    """Set every Standardize layer of ``model`` that has no numbers yet. Collective."""
    layers = [layer for layer in model.modules() if isinstance(layer, Standardize)]
    unset = comm.broadcast_object([not bool(layer.known) for layer in layers])
    if any(unset):
        statistics = data.statistics(comm)
        for layer, wanted in zip(layers, unset, strict=True):
            if wanted:
                layer.adapt(statistics)
