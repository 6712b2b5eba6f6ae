"""Losses as weighted means over rows, so that ranks' parts add up to the global batch."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from matexapps.errors import TrainingError, did_you_mean

RowLossFunction = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

_NAMES: dict[str, Callable[[], nn.Module]] = {
    "binary_cross_entropy": nn.BCEWithLogitsLoss,
    "cross_entropy": nn.CrossEntropyLoss,
    "mean_squared_error": nn.MSELoss,
    "mean_absolute_error": nn.L1Loss,
    "huber": nn.HuberLoss,
}
_ROW_WEIGHING = (nn.CrossEntropyLoss, nn.NLLLoss)


class RowLoss:
    """A loss that returns its mean over rows and the weight of these rows.

    Parameters
    ----------
    loss : str, nn.Module or callable
        A name (``"binary_cross_entropy"``, ``"cross_entropy"``, ``"mean_squared_error"``,
        ``"mean_absolute_error"``, ``"huber"``), one of torch's loss modules, or a function
        ``(prediction, label) -> losses`` that gives one loss per row.

    Raises
    ------
    TrainingError
        If the name is unknown, or the module does not average over rows.
    """

    def __init__(self, loss: str | nn.Module | RowLossFunction) -> None:
        if isinstance(loss, str):
            if loss not in _NAMES:
                raise TrainingError(
                    f"unknown loss {loss!r}{did_you_mean(loss, _NAMES)}; use one of "
                    f"{', '.join(_NAMES)}, a torch loss module, or a function of prediction and "
                    "label that gives one loss per row"
                )
            function: Any = _NAMES[loss]()
        else:
            function = loss
        self._mean: nn.Module | None = None
        self._per_row: RowLossFunction = function
        self._weighs_rows = False
        if isinstance(function, nn.Module) and hasattr(function, "reduction"):
            if function.reduction != "mean":
                name = type(function).__name__
                raise TrainingError(
                    f"{name}(reduction={function.reduction!r}) is not an average over rows; use "
                    "reduction='mean', and weights in the DataSet for weighted rows"
                )
            self._weighs_rows = isinstance(function, _ROW_WEIGHING)
            per_row: Any = copy.deepcopy(function)
            per_row.reduction = "none"
            self._mean, self._per_row = function, per_row

    def to(self, device: torch.device) -> RowLoss:
        """Move the loss's own tensors, such as class weights, to ``device``."""
        for part in (self._mean, self._per_row):
            if isinstance(part, nn.Module):
                part.to(device)
        return self

    def __call__(
        self,
        prediction: torch.Tensor,
        label: torch.Tensor,
        weight: torch.Tensor | None,
        total_weight: float,
    ) -> tuple[torch.Tensor, float]:
        """Return the weighted mean loss of the rows, and their weight.

        Parameters
        ----------
        prediction : Tensor, shape (rows, ...)
            The network's output; a last axis of length one is dropped where the label has none.
        label : Tensor, shape (rows, ...)
        weight : Tensor or None, shape (rows,)
        total_weight : float
            Sum of ``weight``, or the number of rows.
        """
        prediction = aligned(prediction, label)
        if self._weighs_rows and self._has_class_weights(label):
            return self._class_weighted(prediction, label, weight)
        if self._mean is not None and weight is None:
            return self._mean(prediction, label), total_weight
        rows = self._losses(prediction, label)
        if weight is None:
            return rows.mean(), total_weight
        return (rows * weight).sum() / (total_weight or 1.0), total_weight

    def _losses(self, prediction: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        losses = self._per_row(prediction, label)
        if losses.shape[:1] != label.shape[:1]:
            raise TrainingError(
                f"the loss gave values of shape {tuple(losses.shape)} for {len(label)} rows; it "
                "must give one loss per row, so that ranks can weigh their rows"
            )
        return losses.flatten(1).mean(1) if losses.dim() > 1 else losses

    def _has_class_weights(self, label: torch.Tensor) -> bool:
        loss: Any = self._mean
        return loss.weight is not None or (
            not label.is_floating_point() and bool((label == loss.ignore_index).any())
        )

    def _class_weighted(
        self, prediction: torch.Tensor, label: torch.Tensor, weight: torch.Tensor | None
    ) -> tuple[torch.Tensor, float]:
        # torch divides by the sum of the labels' class weights, not by the number of rows.
        loss: Any = self._mean
        if label.is_floating_point():
            raise TrainingError(
                "class weights with class probabilities as labels are not supported; give class "
                "numbers as labels, or weights in the DataSet"
            )
        counted = label != loss.ignore_index
        row_weight = counted.to(prediction.dtype)
        if loss.weight is not None:
            row_weight = row_weight * loss.weight[label.where(counted, 0)]
        losses = self._per_row(prediction, label)
        if weight is not None:
            losses, row_weight = losses * weight, row_weight * weight
        total = float(row_weight.sum())
        return losses.sum() / (total or 1.0), total


def aligned(prediction: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """Drop a prediction's last axis of length one where the label has no such axis.

    Without this, shapes (rows, 1) and (rows,) would silently broadcast to (rows, rows).
    """
    if prediction.dim() == label.dim() + 1 and prediction.shape[-1] == 1:
        return prediction.squeeze(-1)
    return prediction
