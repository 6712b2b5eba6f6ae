"""Splits of an experiment: parts that are drawn smaller, and what they leave as it is."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from matexapps.errors import DataError
from matexapps.experiment.splitting import Split, learning_curve, make_split


def test_a_learning_curve_halves_the_training_rows_and_repeats_their_epochs():
    split = make_split("random", 100, 0.1, 0.1, seed=0)
    curve = learning_curve("random", split, halvings=3, seed=5)
    assert list(curve) == ["random-10", "random-20", "random-40"]
    assert [part.repeats for part in curve.values()] == [8, 4, 2]
    for smaller, larger in pairwise([*curve.values(), split]):
        assert set(smaller.train) < set(larger.train)
        assert (np.diff(smaller.train) > 0).all()
        np.testing.assert_array_equal(smaller.test, split.test)
        np.testing.assert_array_equal(smaller.validation, split.validation)
    assert learning_curve("random", split, halvings=0, seed=5) == {}


def test_an_empty_part_is_named():
    rows = np.arange(3)
    with pytest.raises(DataError, match="no rows in the test part"):
        Split(rows, rows, rows[:0])
