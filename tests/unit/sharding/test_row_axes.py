"""Where the tensors of a network have rows, told from two runs."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from matexapps.errors import TrainingError
from matexapps.sharding.row_axes import RowAxes

DROP, MEAN = functional.dropout, torch.mean


def axes(*calls: tuple) -> RowAxes:
    """``calls``: a function, and its shapes for 7 and for 4 rows."""
    return RowAxes(
        [(function, torch.Size(seven)) for function, seven, _ in calls], 7,
        [(function, torch.Size(four)) for function, _, four in calls], 4,
    )  # fmt: skip


def test_rows_are_known_for_any_number_of_them():
    known = axes((DROP, (7, 5), (4, 5)), (DROP, (3, 7, 5), (3, 4, 5)), (DROP, (21, 2), (12, 2)))
    assert known.axis(DROP, torch.Size([100, 5]), 100) == 0
    assert known.axis(DROP, torch.Size([3, 100, 5]), 100) == 1
    assert known.axis(DROP, torch.Size([300, 2]), 100) == 0
    # Sequences that are padded to another length.
    assert known.axis(DROP, torch.Size([9, 100, 5]), 100) == 1


def test_a_tensor_that_is_the_same_for_all_rows_has_none():
    known = axes((DROP, (7, 5), (4, 5)), (DROP, (64, 5), (64, 5)))
    assert known.axis(DROP, torch.Size([64, 5]), 10) is None
    assert known.axis(DROP, torch.Size([10, 5]), 10) == 0
    with pytest.raises(TrainingError, match="choose another batch_size"):
        known.axis(DROP, torch.Size([64, 5]), 64)


def test_what_is_unlike_anything_tried_is_refused():
    with pytest.raises(TrainingError, match="unlike any when the network was tried"):
        axes((DROP, (7, 5), (4, 5))).axis(DROP, torch.Size([11, 5]), 10)
    with pytest.raises(TrainingError, match="dropout draws where a tensor of shape"):
        axes((DROP, (29, 5), (16, 5)))
    # As in graphs, which have different numbers of atoms; what is drawn for them is not told.
    assert axes((MEAN, (29, 5), (16, 5))).axis(MEAN, torch.Size([33, 5]), 10) is None
    with pytest.raises(TrainingError, match="it calls other functions with fewer rows"):
        RowAxes([(DROP, torch.Size([7]))], 7, [], 4)
