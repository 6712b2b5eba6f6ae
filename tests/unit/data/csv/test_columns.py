"""Roles of columns of a CSV file: labels, categories, keys."""

import math

import numpy as np
import pandas as pd
import pytest

from matexapps.data.schema.schema import Schema
from matexapps.data.sources.formats import open_reader
from matexapps.errors import DataError


def write(path, **columns):
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def read(path, **settings):
    return open_reader(path, Schema(**settings)).read()


@pytest.mark.parametrize("name", ["label", "Label", "labels", "LABELS"])
def test_the_label_is_found_by_its_name(tmp_path, name):
    path = write(tmp_path / "a.csv", x=[1, 2], **{name: [0, 1]})
    np.testing.assert_array_equal(read(path).label, [0, 1])


def test_categories_become_columns_as_pandas_makes_them(tmp_path):
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "label": random.integers(0, 2, 200),
            "color": random.choice(["red", "green", "dark, blue"], 200),
            "x": random.normal(size=200).astype(np.float32),
            "level": random.choice([1, 2.5, 3], 200),
        }
    )
    table.to_csv(tmp_path / "a.csv", index=False)
    known = {"color": ["red", "green", "dark, blue"], "level": [3, 2.5, 1]}
    reader = open_reader(tmp_path / "a.csv", Schema(categories=known))
    rows = reader.read()
    expected = pd.get_dummies(table, columns=["color", "level"])
    expected.columns = [
        name.replace("color_", "color=").replace("level_", "level=").replace(".0", "")
        for name in expected.columns
    ]
    assert reader.columns == rows.columns
    assert rows.columns[:5] == ["color=red", "color=green", "color=dark, blue", "x", "level=3"]
    np.testing.assert_array_equal(rows.features, expected[rows.columns].to_numpy(np.float32))
    assert reader.sample_shape == (7,)
    assert reader.row_bytes == 7 * 4 + 16


@pytest.mark.parametrize(
    ("cell", "known", "expected"),
    [
        ("rde", ["red", "green"], "row 4, column 'c': 'rde' is none of .*did you mean 'red'"),
        ("", ["red", "green"], "row 4, column 'c': '' is none .*; name it too, or declare"),
        ("9", [1, 2], "row 4, column 'c': '9' is none of the values '1', '2'"),
        ("red", [1, 2], "row 4, column 'c': 'red' is none of the values"),
        ("", [1, 2], "row 4, column 'c': '' is none of the values"),
    ],
)
def test_an_unknown_category_is_named(tmp_path, cell, known, expected):
    path = tmp_path / "a.csv"
    path.write_text(f"label,c\n0,{known[0]}\n1,{known[1]}\n0,{cell}\n")
    with pytest.raises(DataError, match=expected):
        read(path, categories={"c": known})


@pytest.mark.parametrize("known", [["1", "2"], [1, 2]])
def test_an_empty_category_is_zeros_where_missing_values_are_declared(tmp_path, known):
    path = tmp_path / "a.csv"
    path.write_text("label,c,x\n0,1,5\n1,,5\n0,2,5\n")
    rows = read(path, categories={"c": known}, missing=math.nan)
    np.testing.assert_array_equal(rows.features, [[1, 0, 5], [0, 0, 5], [0, 1, 5]])


def test_categories_of_no_feature(tmp_path):
    path = write(tmp_path / "a.csv", label=[0, 1], colour=["a", "b"])
    with pytest.raises(DataError, match="'color', which is not a feature; did you mean 'colour'"):
        read(path, categories={"color": ["a", "b"]})


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([7, 7, 2**60 + 1], np.int64),
        ([0.5, 1e300, -2.0], np.float64),
        (["a", "b,c", "7"], object),
        (["1", "2.5", "x"], object),
    ],
)
def test_the_key_keeps_its_values(tmp_path, values, dtype):
    path = write(tmp_path / "a.csv", label=[0, 1, 0], x=[1, 2, 3], run=values)
    rows = read(path, key="run")
    assert rows.columns == ["x"]
    assert rows.key.dtype == dtype
    assert rows.key.tolist() == values


def test_a_key_may_be_a_feature_too(tmp_path):
    path = write(tmp_path / "a.csv", label=[0, 1, 0], x=[1, 2, 3], time=[10, 20, 30.5])
    rows = read(path, key="time", features=["time", "x"])
    np.testing.assert_array_equal(rows.features, [[10, 1], [20, 2], [30.5, 3]])
    np.testing.assert_array_equal(rows.key, [10, 20, 30.5])


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (b"", "row 3, column 'run': the cell is empty, so nothing says to which part"),
        (b"NaN", "row 3, column 'run': the value is 'NaN', so nothing says"),
        (b"\xff", "row 3, column 'run': the text is not UTF-8"),
    ],
)
def test_a_key_that_says_nothing(tmp_path, cell, expected):
    path = tmp_path / "a.csv"
    path.write_bytes(b"label,x,run\n0,1,a\n1,2," + cell + b"\n")
    with pytest.raises(DataError, match=expected):
        read(path, key="run")


@pytest.mark.parametrize("delimiter", ['"', "\n", "§"])
def test_delimiters_that_cannot_be(tmp_path, delimiter):
    path = write(tmp_path / "a.csv", label=[0, 1], x=[1, 2])
    with pytest.raises(DataError, match="cannot stand between cells: use an ASCII character"):
        read(path, delimiter=delimiter)
