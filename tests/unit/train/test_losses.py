"""Weighted losses against torch's own, whole and cut into parts."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from matexapps.errors import TrainingError
from matexapps.train.losses import RowLoss

ROWS = 41
CASES = {
    "binary_cross_entropy": (
        nn.BCEWithLogitsLoss(),
        (ROWS, 1),
        torch.randint(0, 2, (ROWS,)).float(),
    ),
    "cross_entropy": (nn.CrossEntropyLoss(), (ROWS, 4), torch.randint(0, 4, (ROWS,))),
    "mean_squared_error": (nn.MSELoss(), (ROWS, 3), torch.randn(ROWS, 3)),
    "mean_absolute_error": (nn.L1Loss(), (ROWS, 1), torch.randn(ROWS)),
    "huber": (nn.HuberLoss(), (ROWS,), torch.randn(ROWS)),
}


def in_parts(loss, prediction, label, weight=None):
    """The loss as two ranks would compute it from 17 and 24 rows."""
    sums = total = 0.0
    for part in (slice(0, 17), slice(17, ROWS)):
        w = None if weight is None else weight[part]
        behind = len(label[part]) if w is None else float(w.sum())
        mean, share = loss(prediction[part], label[part], w, behind)
        sums, total = sums + float(mean) * share, total + share
    return sums / total


@pytest.mark.parametrize("name", CASES)
def test_named_losses_are_torchs_whole_and_in_parts(name):
    torch_loss, shape, label = CASES[name]
    prediction = torch.randn(shape)
    squeezed = prediction[:, 0] if shape[-1] == 1 and label.dim() == 1 else prediction
    expected = float(torch_loss(squeezed, label))
    assert float(RowLoss(name)(prediction, label, None, ROWS)[0]) == pytest.approx(expected)
    assert in_parts(RowLoss(name), prediction, label) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_a_weight_of_two_counts_like_a_row_that_stands_twice(name):
    _, shape, label = CASES[name]
    prediction = torch.randn(shape)
    weight = torch.ones(ROWS)
    weight[::3] = 2.0
    again = torch.cat([torch.arange(ROWS), torch.arange(ROWS)[::3]])
    doubled = RowLoss(name)(prediction[again], label[again], None, len(again))[0]
    assert in_parts(RowLoss(name), prediction, label, weight) == pytest.approx(
        float(doubled), rel=1e-5
    )


def test_class_weights_and_ignored_labels_average_as_torch_does():
    label = torch.randint(0, 4, (ROWS,))
    label[5], label[30] = 9, 9
    torch_loss = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 0.5, 3.0]), ignore_index=9)
    prediction = torch.randn(ROWS, 4)
    expected = float(torch_loss(prediction, label))
    assert in_parts(RowLoss(torch_loss), prediction, label) == pytest.approx(expected, rel=1e-5)


def test_a_function_of_one_loss_per_row_is_averaged():
    loss = RowLoss(lambda prediction, label: (prediction - label) ** 2)
    prediction, label = torch.randn(ROWS, 1), torch.randn(ROWS)
    expected = float(nn.functional.mse_loss(prediction[:, 0], label))
    assert in_parts(loss, prediction, label) == pytest.approx(expected, rel=1e-5)


def test_what_is_not_one_loss_per_row_is_refused():
    loss = RowLoss(lambda prediction, label: (prediction - label).mean())
    with pytest.raises(TrainingError, match="one loss per row"):
        loss(torch.randn(5), torch.randn(5), None, 5)
    with pytest.raises(TrainingError, match="reduction='sum'"):
        RowLoss(nn.MSELoss(reduction="sum"))
    with pytest.raises(TrainingError, match="did you mean 'huber'"):
        RowLoss("hubr")
