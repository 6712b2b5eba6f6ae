"""Splits: every row in exactly one part, sizes by the written rule, decided by the seed alone."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import matthews_corrcoef

from matexapps.data.split import part_size, split_rows
from matexapps.errors import DataError

FRACTIONS = st.integers(0, 45).map(lambda percent: percent / 100)


@given(rows=st.integers(5, 400), validation=FRACTIONS, test=FRACTIONS, seed=st.integers(0, 2**40))
def test_every_row_is_in_exactly_one_part(rows, validation, test, seed):
    assume(part_size(rows, validation) + part_size(rows, test) < rows)
    split = split_rows(rows, validation=validation, test=test, seed=seed)
    parts = (split.train, split.validation, split.test)
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(rows))
    assert all((np.diff(part) > 0).all() for part in parts)
    assert len(split.test) == part_size(rows, test)
    assert len(split.validation) == part_size(rows, validation)


@given(
    counts=st.lists(st.integers(1, 60), min_size=2, max_size=5).filter(lambda c: sum(c) > 10),
    validation=FRACTIONS,
    test=FRACTIONS,
    seed=st.integers(0, 99),
)
def test_stratified_parts_keep_the_shares_of_the_classes(counts, validation, test, seed):
    label = np.repeat(np.arange(len(counts)), counts)
    rows = len(label)
    assume(part_size(rows, validation) + part_size(rows, test) < rows)
    split = split_rows(
        rows, validation=validation, test=test, kind="stratified", seed=seed, label=label
    )
    joined = np.concatenate([split.train, split.validation, split.test])
    np.testing.assert_array_equal(np.sort(joined), np.arange(rows))
    assert len(split.test) == part_size(rows, test)
    in_test = np.bincount(label[split.test], minlength=len(counts))
    assert (np.abs(in_test - len(split.test) * np.array(counts) / rows) < 1).all()
    left = np.array(counts) - in_test
    in_validation = np.bincount(label[split.validation], minlength=len(counts))
    expected = len(split.validation) * left / left.sum()
    assert (np.abs(in_validation - expected) < 1).all()


@pytest.mark.parametrize(
    ("rows", "share", "size"),
    [
        (1003, 0.2, 201),
        (1003, 0.1, 100),
        (5, 0.1, 1),
        (50, 0.29, 15),
        (3, 0.1, 1),
        (10, 0.0, 0),
        (7000, 0.2, 1400),
        (11_000_000, 0.1, 1_100_000),
    ],
)
def test_rounding_rule(rows, share, size):
    assert part_size(rows, share) == size


def test_known_split():
    """These row numbers must never change: results of earlier runs stand on them."""
    split = split_rows(12, validation=0.25, test=0.25, seed=3)
    assert split.test.tolist() == [1, 6, 9]
    assert split.validation.tolist() == [2, 3, 11]


def test_validation_fraction_leaves_the_test_rows_alone():
    few = split_rows(500, validation=0.05, test=0.2, seed=1)
    many = split_rows(500, validation=0.4, test=0.2, seed=1)
    np.testing.assert_array_equal(few.test, many.test)


def test_seeds_give_unrelated_parts():
    rows = 2000
    chosen = np.zeros((2, rows))
    for seed in (0, 1):
        chosen[seed, split_rows(rows, validation=0.1, test=0.5, seed=seed).test] = 1
    assert abs(matthews_corrcoef(*chosen)) < 5 / np.sqrt(rows)


def test_parts_spread_over_the_file():
    """A file sorted by label is split as well as a shuffled one."""
    test = split_rows(10_000, validation=0.1, test=0.2, seed=0).test
    per_tenth = np.bincount(test // 1000, minlength=10)
    assert (np.abs(per_tenth - 200) < 5 * np.sqrt(200 * 0.8)).all()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"kind": "stratifed", "test": 0.2}, "'random' or 'stratified'; did you mean 'stratified'"),
        ({"test": 1.0}, "test=1.0 is not a fraction"),
        ({"test": -0.1}, "test=-0.1 is not a fraction"),
        ({"test": 0.9}, "leave no rows to train on"),
        ({"test": 0.2, "seed": -1}, "seed=-1 is negative"),
        ({"test": 0.2, "kind": "stratified"}, "needs the label"),
        ({"test": 0.2, "kind": "stratified", "label": np.arange(10) / 2}, "needs classes"),
    ],
)
def test_settings_that_make_no_sense(settings, expected):
    with pytest.raises(DataError, match=expected):
        split_rows(10, validation=0.1, **settings)


def test_too_few_rows():
    with pytest.raises(DataError, match="2 rows are too few"):
        split_rows(2, validation=0.1, test=0.1)
