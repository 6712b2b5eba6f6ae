"""Metrics as sums that add up over batches and over ranks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from matexapps.errors import TrainingError, did_you_mean
from matexapps.train.losses import aligned


class Metric(ABC):
    """A number computed from sums over rows.

    Attributes
    ----------
    name : str
        The name under which the value stands in results.
    sums : ndarray of float64, shape (k,)
        What has been added up so far. Adding two metrics' sums merges their rows.
    """

    name: str
    sums: NDArray[np.float64]

    def reset(self) -> None:
        """Start again without rows."""
        self.sums[:] = 0.0

    @abstractmethod
    def update(
        self, prediction: torch.Tensor, label: torch.Tensor, weight: torch.Tensor | None
    ) -> None:
        """Add rows: the network's raw outputs, the labels, and weights or None."""

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """Return the results by name."""


class Accuracy(Metric):
    """Weighted share of rows whose class is predicted correctly.

    The prediction is one logit a row (class 1 above zero) or one score per class.
    """

    def __init__(self) -> None:
        self.name = "accuracy"
        self.sums = np.zeros(2)

    def update(
        self, prediction: torch.Tensor, label: torch.Tensor, weight: torch.Tensor | None
    ) -> None:
        prediction = aligned(prediction, label)
        if prediction.dim() > label.dim():
            correct = prediction.argmax(dim=1) == label
        else:
            correct = (prediction > 0) == (label > 0.5)
        if weight is None:
            self.sums += (float(correct.sum()), correct.numel())
        else:
            w = weight.double()
            self.sums += (float((w * correct).sum()), float(w.sum()))

    def compute(self) -> dict[str, float]:
        return {self.name: float(self.sums[0] / self.sums[1]) if self.sums[1] else float("nan")}


class RocAuc(Metric):
    """Weighted area under the ROC curve, from a histogram of scores, with a bound on its error.

    Scores fall into equal bins of the sigmoid of the logit. A signal and a background row in
    different bins are ordered exactly; in the same bin they count one half, as a tie does. The
    true value lies within ``roc_auc_error`` of the result, which is half the share of pairs in the
    same bin. For the exact value pass all predictions to ``sklearn.metrics.roc_auc_score``.

    Parameters
    ----------
    bins : int
        Number of bins of the score.
    """

    def __init__(self, bins: int = 16384) -> None:
        self.name = "roc_auc"
        self.bins = bins
        self.sums = np.zeros(2 * bins)

    def update(
        self, prediction: torch.Tensor, label: torch.Tensor, weight: torch.Tensor | None
    ) -> None:
        score = aligned(prediction, label)
        if score.shape != label.shape:
            raise TrainingError(
                f"RocAuc needs one logit per row, got predictions of shape "
                f"{tuple(prediction.shape)} for labels of shape {tuple(label.shape)}"
            )
        bins = (torch.sigmoid(score.double()) * self.bins).long().clamp_(0, self.bins - 1)
        bins += (label > 0.5).long() * self.bins
        counts = torch.bincount(
            bins, None if weight is None else weight.double(), minlength=2 * self.bins
        )
        self.sums += counts.cpu().numpy()

    def compute(self) -> dict[str, float]:
        background, signal = self.sums[: self.bins], self.sums[self.bins :]
        pairs = background.sum() * signal.sum()
        if pairs == 0:
            return {self.name: float("nan"), f"{self.name}_error": float("nan")}
        below = np.concatenate([[0.0], np.cumsum(background)[:-1]])
        ties = float((signal * background).sum()) / 2
        return {
            self.name: float((signal * below).sum() + ties) / float(pairs),
            f"{self.name}_error": ties / float(pairs),
        }


_NAMES: dict[str, type[Metric]] = {"accuracy": Accuracy, "roc_auc": RocAuc}


def as_metric(metric: str | Metric | Any) -> Metric:
    """Return the metric of a name; a metric is returned as it is."""
    if isinstance(metric, Metric):
        return metric
    if isinstance(metric, str) and metric in _NAMES:
        return _NAMES[metric]()
    known = ", ".join(_NAMES)
    raise TrainingError(
        f"unknown metric {metric!r}{did_you_mean(str(metric), _NAMES)}; use one of {known}, or a "
        "subclass of Metric"
    )
