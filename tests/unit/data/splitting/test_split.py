"""Splits: every row in exactly one part, sizes by the documented rule, from the seed alone."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import matthews_corrcoef

from matexapps.data.splitting.split import TEST, TRAIN, UNUSED, VALIDATION, part_size, split_rows
from matexapps.errors import DataError

FRACTIONS = st.integers(0, 45).map(lambda percent: percent / 100)


@given(rows=st.integers(5, 400), validation=FRACTIONS, test=FRACTIONS, seed=st.integers(0, 2**40))
def test_every_row_is_in_exactly_one_part(rows, validation, test, seed):
    assume(part_size(rows, validation) + part_size(rows, test) < rows)
    sizes = np.bincount(split_rows(rows, validation=validation, test=test, seed=seed), minlength=3)
    assert len(sizes) == 3
    assert sizes.sum() == rows
    assert sizes[TEST] == part_size(rows, test)
    assert sizes[VALIDATION] == part_size(rows, validation)


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
        rows, validation=validation, test=test, kind="stratified", seed=seed, key=label
    )
    in_test = np.bincount(label[split == TEST], minlength=len(counts))
    assert in_test.sum() == part_size(rows, test)
    assert (np.abs(in_test - in_test.sum() * np.array(counts) / rows) < 1).all()
    left = np.array(counts) - in_test
    in_validation = np.bincount(label[split == VALIDATION], minlength=len(counts))
    expected = in_validation.sum() * left / left.sum()
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
    """These row numbers must never change: results of earlier runs depend on them."""
    split = split_rows(12, validation=0.25, test=0.25, seed=3)
    assert np.flatnonzero(split == TEST).tolist() == [1, 6, 9]
    assert np.flatnonzero(split == VALIDATION).tolist() == [2, 3, 11]


def test_validation_fraction_leaves_the_test_rows_alone():
    few = split_rows(500, validation=0.05, test=0.2, seed=1)
    many = split_rows(500, validation=0.4, test=0.2, seed=1)
    np.testing.assert_array_equal(few == TEST, many == TEST)


def test_seeds_give_unrelated_parts():
    rows = 2000
    chosen = np.zeros((2, rows))
    for seed in (0, 1):
        chosen[seed] = split_rows(rows, validation=0.1, test=0.5, seed=seed) == TEST
    assert abs(matthews_corrcoef(*chosen)) < 5 / np.sqrt(rows)


def test_parts_spread_over_the_file():
    """A file sorted by label is split as well as a shuffled one."""
    test = np.flatnonzero(split_rows(10_000, validation=0.1, test=0.2, seed=0) == TEST)
    per_tenth = np.bincount(test // 1000, minlength=10)
    assert (np.abs(per_tenth - 200) < 5 * np.sqrt(200 * 0.8)).all()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"kind": "", "test": 0.2}, "split='' is not a name: use random, stratified, group, time"),
        ({"test": 1.0}, "test=1.0 is not a fraction"),
        ({"test": -0.1}, "test=-0.1 is not a fraction"),
        ({"test": 0.9}, "leave no rows to train on"),
        ({"test": 0.2, "seed": -1}, "seed=-1 is not a seed"),
        ({"test": 0.2, "kind": "stratified"}, "needs a value of every row"),
        ({"test": 0.2, "kind": "stratified", "key": np.arange(10) / 2}, "needs classes"),
    ],
)
def test_settings_that_make_no_sense(settings, expected):
    with pytest.raises(DataError, match=expected):
        split_rows(10, validation=0.1, **settings)


def test_too_few_rows():
    with pytest.raises(DataError, match="2 rows are too few"):
        split_rows(2, validation=0.1, test=0.1)


GROUPS = st.lists(st.integers(1, 40), min_size=3, max_size=30)


@given(counts=GROUPS, validation=FRACTIONS, test=FRACTIONS, seed=st.integers(0, 99))
def test_groups_stay_together_and_every_part_has_one(counts, validation, test, seed):
    rows = sum(counts)
    assume(part_size(rows, validation) + part_size(rows, test) < rows)
    key = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    split = split_rows(rows, validation=validation, test=test, kind="group", seed=seed, key=key)
    for group in range(len(counts)):
        assert len(set(split[key == group])) == 1
    for code, share in ((TRAIN, 1.0), (VALIDATION, validation), (TEST, test)):
        assert (split == code).any() == (share > 0)


def test_many_small_groups_give_parts_of_the_size_asked_for():
    key = np.repeat([f"patient {i}" for i in range(500)], 4).astype(object)
    split = split_rows(2000, validation=0.1, test=0.2, kind="group", seed=2, key=key)
    assert np.bincount(split).tolist() == [1400, 200, 400]
    other = split_rows(2000, validation=0.1, test=0.2, kind="group", seed=3, key=key)
    assert (split != other).any()


def test_the_latest_rows_test_and_equal_times_stay_together():
    time = np.array([5, 1, 4, 4, 2, 3, 4, 0, 6, 2])
    split = split_rows(10, validation=0.2, test=0.2, kind="time", key=time)
    assert sorted(time[split == TEST]) == [5, 6]
    assert sorted(time[split == VALIDATION]) == [4, 4, 4]
    with pytest.raises(DataError, match="leaves no rows to train on"):
        split_rows(10, validation=0.2, test=0.2, kind="time", key=np.zeros(10))
    with pytest.raises(DataError, match="some are missing"):
        split_rows(3, validation=0.0, test=0.4, kind="time", key=np.array([0, np.nan, 1]))


def test_a_column_names_the_parts():
    text = np.array(["train", "test", "val", "training", "validation"], dtype=object)
    numbers = np.array([0, 2, 1, 0, 1])
    for key in (text, numbers, numbers.astype(float)):
        split = split_rows(5, validation=0.1, test=0.2, kind="fold", key=key)
        assert split.tolist() == [TRAIN, TEST, VALIDATION, TRAIN, VALIDATION]
    named = np.array(["t", "b", "v", "u", "t"], dtype=object)
    with pytest.raises(DataError, match="holds 't', which names no part"):
        split_rows(5, validation=0.1, test=0.2, kind="fold", key=named)
    parts = {"train": "t", "validation": "b", "test": ["v"]}
    split = split_rows(5, validation=0.1, test=0.2, kind="fold", key=named, values=parts)
    assert split.tolist() == [TRAIN, VALIDATION, TEST, UNUSED, TRAIN]


def test_large_files_are_split_as_small_ones():
    """Rows are drawn in pieces of a million; the result is that of one sorted list of draws."""
    rows = 2_200_001
    draws = np.random.PCG64(np.random.SeedSequence([7, 0x5EED])).random_raw(rows)
    order = np.argsort(draws, kind="stable")
    split = split_rows(rows, validation=0.1, test=0.2, seed=7)
    assert (np.flatnonzero(split == TEST) == np.sort(order[:440_000])).all()
    assert (split[order[440_000:660_000]] == VALIDATION).all()
    assert (split == VALIDATION).sum() == 220_000
