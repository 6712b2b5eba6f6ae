"""Heads: from hidden values to the parameters of the targets' distribution."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from matexapps.apps.molecules.networks.architecture import Architecture
from matexapps.errors import TrainingError

Values = NDArray[np.float64]

_LOG_SCALE = (-8.0, 4.0)


class Head(nn.Module, ABC):
    """Maps (molecules, hidden) to (molecules, targets, outputs of a target)."""

    def __init__(self, _: Architecture) -> None:
        super().__init__()

    @staticmethod
    @abstractmethod
    def reference(values: Values) -> tuple[Values, Values]:
        """Return the reference of the outputs: a value and a scale for each target.

        Parameters
        ----------
        values : ndarray of float64, shape (molecules, targets)
            Of the training molecules; NaN is missing. Each target has at least one value.
        """


class MeanVarianceHead(Head):
    """Mean of standardized targets, and logarithm of the squared scale of the noise.

    The loss of the scale does not change the hidden values, so that learning it does not harm the
    mean (Stirn et al., Faithful heteroscedastic regression, AISTATS 2023).
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
    """Log-odds of the second class, relative to those of the training molecules."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture)
        self.logit = nn.Linear(architecture.head, architecture.targets)

    @staticmethod
    def reference(values: Values) -> tuple[Values, Values]:
        """Return the log-odds, with half a molecule of each class added, and ones."""
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
"""Heads by task."""


def reference(task: str, values: Values) -> tuple[Values, Values]:
    """Return the reference of the outputs of a task: a value and a scale for each target.

    Parameters
    ----------
    task : str
        A key of :data:`HEADS`.
    values : ndarray of float64, shape (molecules, targets)
        Of the training molecules; NaN is missing.

    Raises
    ------
    TrainingError
        If a target has no value.
    """
    known = np.isfinite(values)
    if not known.any(0).all():
        index = int(np.argmin(known.any(0)))
        raise TrainingError(
            f"target {index + 1} of {values.shape[1]} has no value among the "
            f"{len(values):,} training molecules: leave it out, or split in another way"
        )
    return HEADS[task].reference(values)
