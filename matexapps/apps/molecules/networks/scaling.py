"""Computed columns, such as descriptors, in units of their spread in training."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from matexapps.apps.molecules.featurizers.descriptors import DESCRIPTORS
from matexapps.apps.molecules.featurizers.properties import PROPERTIES

SCALED = {"properties": len(PROPERTIES), "descriptors": len(DESCRIPTORS)}
"""Features that are scaled, and their numbers of columns."""

_LARGEST_DEVIATION = 5.0


class ScaledColumns(nn.Module):
    """Columns in units of their spread among training molecules, with outliers clipped.

    Missing values become the median of the training molecules, where
    :class:`~matexapps.train.standardize.Standardize` takes the mean.

    Parameters
    ----------
    columns : int
    """

    median: Tensor
    mean: Tensor
    scale: Tensor

    def __init__(self, columns: int) -> None:
        super().__init__()
        for name in ("median", "mean"):
            self.register_buffer(name, torch.zeros(columns))
        self.register_buffer("scale", torch.ones(columns))

    def adapt(self, table: Tensor) -> None:
        """Take median, mean and spread from training molecules, shape (molecules, columns)."""
        values = table.double()
        median = values.nanmedian(0).values.nan_to_num(0.0)
        filled = torch.where(values.isnan(), median, values)
        spread = filled.std(0, correction=0)
        varies = spread > 1e-6 * filled.abs().amax(0)
        self.median.copy_(median)
        self.mean.copy_(filled.mean(0))
        self.scale.copy_(torch.where(varies, 1 / spread, 0.0))

    def forward(self, table: Tensor) -> Tensor:
        """Return scaled columns of the same shape."""
        filled = torch.where(table.isnan(), self.median, table)
        scaled = (filled - self.mean) * self.scale
        return scaled.clamp(-_LARGEST_DEVIATION, _LARGEST_DEVIATION)
