"""Loss and metric of targets that are numbers.

A row's label is the index of its molecule; a table here holds the values.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from matexapps.train.metrics import Metric

FREEDOM = 4.0
"""Degrees of freedom of the distribution that is assumed for residuals."""


class MeanVarianceLoss(nn.Module):
    """Squared error of the mean, and a likelihood from which the variance is learned.

    The mean over a row's known targets and over the members. A row's weight must be the number of
    its known targets. The likelihood has no gradient in the mean. It is that of Student's t
    distribution, because under a normal distribution a single outlier would outweigh a batch.

    Parameters
    ----------
    values : ndarray of float64, shape (molecules, targets)
        NaN is missing.
    mean, scale : Tensor, shape (targets,)
        Reference of the network's outputs.
    """

    standard: Tensor

    def __init__(self, values: NDArray[np.float64], mean: Tensor, scale: Tensor) -> None:
        super().__init__()
        table = (torch.from_numpy(values) - mean.cpu()) / scale.cpu()
        self.register_buffer("standard", table.float())

    def forward(self, prediction: Tensor, label: Tensor) -> Tensor:
        """Return the loss of each row.

        Parameters
        ----------
        prediction : Tensor, shape (rows, members, targets, 2)
            Mean and logarithm of the squared scale.
        label : Tensor of int64, shape (rows,)
        """
        value = self.standard[label][:, None, :]
        known = ~value.isnan()
        mean, log_scale = prediction.float().unbind(-1)
        squared = (mean - value.nan_to_num(0.0)).square() * known
        relative = squared.detach() * (-log_scale).exp() / FREEDOM
        likelihood = (log_scale + (FREEDOM + 1) * relative.log1p()) * known / 2
        count = known.sum((1, 2)).clamp_min(1)
        return (squared + likelihood).mean(1).sum(1) / count


class TargetRmse(Metric):
    """Root-mean-square error of the ensemble's mean.

    ``rmse``, in the target's unit, where there is one target; ``relative_rmse`` always: the mean
    over targets of the error in units of the spread of the training values.

    Parameters are those of :class:`MeanVarianceLoss`.
    """

    def __init__(self, values: NDArray[np.float64], mean: Tensor, scale: Tensor) -> None:
        self.name = "rmse"
        self._values = torch.from_numpy(values)
        self._mean, self._scale = mean.cpu().double(), scale.cpu().double()
        self.sums = np.zeros(2 * values.shape[1])

    def update(self, prediction: Tensor, label: Tensor, weight: Tensor | None) -> None:
        predicted = prediction[..., 0].mean(1).cpu().double() * self._scale + self._mean
        error = predicted - self._values[label.cpu()]
        known = ~error.isnan()
        squared = error.nan_to_num(0.0).square().sum(0)
        self.sums += torch.cat([squared, known.sum(0).double()]).numpy()

    def compute(self) -> dict[str, float]:
        squared, count = np.split(self.sums, 2)
        known = count > 0
        rmse = np.sqrt(squared[known] / count[known])
        relative = rmse / self._scale.numpy()[known]
        figures = {"relative_rmse": float(relative.mean()) if known.any() else float("nan")}
        if len(count) == 1 and known.any():
            figures["rmse"] = float(rmse[0])
        return figures
