"""Heads: from hidden values to what the targets' distribution is read from."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from matexapps.apps.molecules.networks.architecture import Architecture

Values = NDArray[np.float64]

_LOG_SCALE = (-8.0, 4.0)


class Head(nn.Module, ABC):
    """Maps (molecules, hidden) to (molecules, targets, outputs of a target)."""

    def __init__(self, _: Architecture) -> None:
        super().__init__()

    @staticmethod
    @abstractmethod
    def reference(values: Values) -> tuple[Values, Values]:
        """Return what first outputs are relative to: a value and a scale for each target.

        Parameters
        ----------
        values : ndarray of float64, shape (molecules, targets)
            Of the training molecules; NaN is missing, and each target has a value.
        """


class MeanVarianceHead(Head):
    """Mean, and log of the squared scale of the noise, of standardized targets.

    The scale is read from hidden values that its loss does not change, so that learning it costs
    the mean nothing (Stirn et al., Faithful heteroscedastic regression, AISTATS 2023).
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture)
        self.mean = nn.Linear(architecture.head, architecture.targets)
        self.log_scale = nn.Linear(architecture.head, architecture.targets)

    @staticmethod
    def reference(values: Values) -> tuple[Values, Values]:
        """Return means and standard deviations."""
        spread = np.nanstd(values, 0)
        return np.nanmean(values, 0), np.where(spread > 0, spread, 1.0)

    def forward(self, hidden: Tensor) -> Tensor:
        log_scale = self.log_scale(hidden.detach()).clamp(*_LOG_SCALE)
        return torch.stack([self.mean(hidden), log_scale], 2)


class LogitHead(Head):
    """How far the log-odds of the second class lie from those among the training molecules."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture)
        self.logit = nn.Linear(architecture.head, architecture.targets)

    @staticmethod
    def reference(values: Values) -> tuple[Values, Values]:
        """Return log-odds, with half a molecule of either class added, and ones."""
        second = np.nansum(values, 0) + 0.5
        first = np.nansum(1 - values, 0) + 0.5
        return np.log(second / first), np.ones_like(second)

    def forward(self, hidden: Tensor) -> Tensor:
        logit: Tensor = self.logit(hidden)
        return logit[:, :, None]


HEADS: dict[str, type[Head]] = {
    "regression": MeanVarianceHead,
    "classification": LogitHead,
}
"""By the task of an architecture."""
