"""Rows: types, positions, tables and fingerprints."""

import numpy as np
import pandas as pd
import pytest

from matexapps.data.rows import Rows
from matexapps.data.schema.labels import LabelFacts, require_binary
from matexapps.errors import DataError

FEATURES = [[1, 2.5], [3, 4], [5, 6]]


def test_types_and_shapes():
    rows = Rows.from_arrays(FEATURES, [0, 1, 1], [1, 2, 3])
    assert rows.features.dtype == np.float32
    assert rows.features.flags.c_contiguous
    assert rows.weight.dtype == np.float64
    assert rows.ids.tolist() == [0, 1, 2]
    assert rows.columns == ["column_0", "column_1"]
    assert len(rows) == 3


@pytest.mark.parametrize(
    ("label", "dtype"),
    [
        ([0, 1, 1], np.float32),
        ([0.0, 0.0, 0.0], np.float32),
        ([0.5, 2, 7], np.float32),
        ([-1, 1, 2], np.float32),
        ([0, 2, 1], np.int64),
        ([3, 3, 3], np.int64),
    ],
)
def test_label_type_follows_the_values(label, dtype):
    rows = Rows.from_arrays(FEATURES, label)
    assert rows.label.dtype == dtype
    np.testing.assert_array_equal(rows.label, label)


def test_arrays_are_copied():
    given = np.ones((3, 2), np.float32)
    rows = Rows.from_arrays(given, [0, 1, 1])
    given[0, 0] = 7
    assert rows.features[0, 0] == 1


def test_take_keeps_everything_together():
    rows = Rows.from_arrays(FEATURES, [0, 1, 2], [0.1, 0.2, 0.3], ["a", "b"])
    taken = rows.take(np.array([2, 0]))
    assert taken.features.tolist() == [[5, 6], [1, 2.5]]
    assert taken.label.tolist() == [2, 0]
    assert taken.weight.tolist() == [0.3, 0.1]
    assert taken.ids.tolist() == [2, 0]
    assert rows.take(slice(1, None)).ids.tolist() == [1, 2]


def test_to_pandas():
    frame = Rows.from_arrays(FEATURES, [0, 1, 1], [1, 2, 3], ["a", "b"]).to_pandas()
    expected = pd.DataFrame(
        {"a": [1, 3, 5], "b": [2.5, 4, 6], "label": [0, 1, 1], "weight": [1, 2, 3]}
    )
    pd.testing.assert_frame_equal(frame, expected, check_dtype=False)


def test_digest_tells_any_difference():
    rows = Rows.from_arrays(FEATURES, [0, 1, 1], [1, 2, 3], ["a", "b"])
    others = [
        Rows.from_arrays(np.add(FEATURES, 1e-6), [0, 1, 1], [1, 2, 3], ["a", "b"]),
        Rows.from_arrays(FEATURES, [1, 1, 1], [1, 2, 3], ["a", "b"]),
        Rows.from_arrays(FEATURES, [0, 1, 1], [1, 2, 4], ["a", "b"]),
        Rows.from_arrays(FEATURES, [0, 1, 1], None, ["a", "b"]),
        Rows.from_arrays(FEATURES, [0, 1, 1], [1, 2, 3], ["a", "c"]),
        rows.take(np.array([1, 0, 2])),
    ]
    assert len({rows.digest(), *(other.digest() for other in others)}) == 7
    assert rows.digest() == rows.take(slice(None)).digest()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((FEATURES, [0, 1]), r"label has shape \(2,\) beside 3 rows"),
        ((FEATURES, [0, 1, 1], [1]), r"weight has shape \(1,\)"),
        ((FEATURES, [0, 1, 1], None, ["a"]), "do not fit 1 column names"),
        (([1, 2, 3], [0, 1, 1]), "do not fit"),
        ((["x", "y"], [0, 1]), "features cannot be read as an array of numbers"),
        (([[1], [np.inf]], [0, 1]), "features, row 1, column 'column_0': inf"),
        (([[1], [np.nan]], [0, 1]), "features, row 1, column 'column_0': the value is NaN"),
        (([[1], [2]], [0, np.nan]), "label, row 1: nan"),
        (([[1], [2]], [0, 1], [np.inf, 1]), "weight, row 0: inf"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, expected):
    with pytest.raises(DataError, match=expected):
        Rows.from_arrays(*arguments)


def test_declared_missing_values():
    rows = Rows.from_arrays([[1, -999], [np.nan, 4]], [0, 1], missing=(-999.0, np.nan))
    np.testing.assert_array_equal(rows.features, [[1, np.nan], [np.nan, 4]])


def test_require_binary():
    def facts(*label):
        return LabelFacts.of(np.array(label), np.arange(len(label)))

    require_binary(facts(0, 1, 1), "sample")
    with pytest.raises(DataError, match=r"sample, row 1 \(from 0\): the label is 2, neither 0"):
        require_binary(facts(0, 2, 1), "sample")
    with pytest.raises(DataError, match="all 3 labels are 1, only one class"):
        require_binary(facts(1, 1, 1), "sample")
