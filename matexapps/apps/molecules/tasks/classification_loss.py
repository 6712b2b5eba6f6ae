"""Loss and metric of targets that are classes.

A row's label is the index of its molecule; a table here holds the classes, as 0 and 1.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from matexapps.train.metrics import Metric

_LEAST = 1e-12


class ClassLoss(nn.Module):
    """Binary cross-entropy of known classes.

    The mean over a row's known targets and over the members, each of which learns for itself. A
    row's weight must be the number of its known targets.

    Parameters
    ----------
    values : ndarray of float64, shape (molecules, targets)
        0 or 1; NaN is missing.
    log_odds : Tensor, shape (targets,)
        Reference of the network's outputs.
    """

    classes: Tensor
    log_odds: Tensor

    def __init__(self, values: NDArray[np.float64], log_odds: Tensor) -> None:
        super().__init__()
        self.register_buffer("classes", torch.from_numpy(values).float())
        self.register_buffer("log_odds", log_odds.detach().cpu().clone())

    def forward(self, prediction: Tensor, label: Tensor) -> Tensor:
        """Return the loss of each row.

        Parameters
        ----------
        prediction : Tensor, shape (rows, members, targets, 1)
        label : Tensor of int64, shape (rows,)
        """
        logits = prediction.float().squeeze(-1) + self.log_odds
        classes = self.classes[label][:, None, :].expand_as(logits)
        known = ~classes.isnan()
        entropy = binary_cross_entropy_with_logits(
            logits, classes.nan_to_num(0.0), reduction="none"
        )
        return (entropy * known).mean(1).sum(1) / known[:, 0].sum(1).clamp_min(1)


class LogLoss(Metric):
    """Cross-entropy of the ensemble's mean probability.

    ``log_loss``: the mean over targets, in nats per molecule.

    Parameters are those of :class:`ClassLoss`.
    """

    def __init__(self, values: NDArray[np.float64], log_odds: Tensor) -> None:
        self.name = "log_loss"
        self._classes = torch.from_numpy(values)
        self._log_odds = log_odds.detach().cpu().double()
        self.sums = np.zeros(2 * values.shape[1])

    def update(self, prediction: Tensor, label: Tensor, weight: Tensor | None) -> None:
        logits = prediction.squeeze(-1).cpu().double() + self._log_odds
        probability = logits.sigmoid().mean(1).clamp(_LEAST, 1 - _LEAST)
        classes = self._classes[label.cpu()]
        known = ~classes.isnan()
        entropy = -torch.where(classes > 0.5, probability.log(), (-probability).log1p())
        self.sums += torch.cat([(entropy * known).sum(0), known.sum(0).double()]).numpy()

    def compute(self) -> dict[str, float]:
        entropy, count = np.split(self.sums, 2)
        known = count > 0
        mean = (entropy[known] / count[known]).mean() if known.any() else np.nan
        return {self.name: float(mean)}
