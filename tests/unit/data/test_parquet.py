"""Parquet: the same rows, checks and refusals as for CSV and HDF5."""

from __future__ import annotations

import datetime
import decimal
import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from matexapps.data.convert import convert
from matexapps.data.dataset import DataSet
from matexapps.data.overview.overview import overview
from matexapps.data.parquet import ParquetTable
from matexapps.data.partition import share
from matexapps.data.schema.schema import Schema
from matexapps.data.sources.formats import open_reader
from matexapps.data.sources.source import resolve
from matexapps.errors import DataError

ROWS = 103
RANDOM = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "pt": RANDOM.normal(size=ROWS).astype(np.float32),
        "label": np.arange(ROWS) % 2,
        "n": np.arange(ROWS, dtype=np.int16),
        "good": np.arange(ROWS) % 3 == 0,
        "color": pd.Categorical([("red", "blue", "green")[i % 3] for i in range(ROWS)]),
        "run": [f"r{i // 10}" for i in range(ROWS)],
    }
)
COLORS = {"color": ["red", "green", "blue"]}
WANTED = Schema(features=["pt", "n", "good", "color"], categories=COLORS, weight="n", key="run")


@pytest.fixture
def path(tmp_path):
    FRAME.to_parquet(tmp_path / "runs.parquet", row_group_size=10)
    return tmp_path / "runs.parquet"


def features(frame):
    """What a DataSet makes of the frame."""
    colors = [frame["color"] == color for color in COLORS["color"]]
    return np.column_stack([frame["pt"], frame["n"], frame["good"], *colors]).astype(np.float32)


def rows_of(path, schema, start=0, stop=None):
    reader = open_reader(path, schema)
    try:
        return reader.read(start, stop)
    finally:
        reader.close()


def test_values_are_those_of_pandas(path):
    rows = rows_of(path, WANTED)
    again = pd.read_parquet(path)
    np.testing.assert_array_equal(rows.features, features(again))
    np.testing.assert_array_equal(rows.label, again["label"])
    np.testing.assert_array_equal(rows.weight, again["n"])
    assert rows.key.tolist() == again["run"].tolist()
    assert rows.columns == ["pt", "n", "good", "color=red", "color=green", "color=blue"]


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_each_range_of_rows_is_read_by_itself(path, ranks):
    for rank in range(ranks):
        part = share(ROWS, rank, ranks)
        rows = rows_of(path, WANTED, part.start, part.stop)
        np.testing.assert_array_equal(rows.features, features(FRAME[part]))
        assert rows.ids.tolist() == list(range(ROWS))[part]
    assert len(rows_of(path, WANTED, 7, 7)) == 0


def test_csv_and_parquet_give_the_same_data_set(path, tmp_path):
    FRAME.astype({"good": int}).to_csv(tmp_path / "runs.csv", index=False)
    settings = {
        "features": ["pt", "n", "good", "color"],
        "categories": COLORS,
        "group": "run",
        "split": "group",
    }
    parquet = DataSet(path, **settings)
    csv = DataSet(tmp_path / "runs.csv", **settings)
    for name in ("train", "validation", "test"):
        assert getattr(parquet, name).digest() == getattr(csv, name).digest()
    streamed = DataSet(path, memory="4 KiB", **settings).train
    pieces = list(streamed.between(0, len(streamed)))
    assert len(pieces) > 1
    for name in ("features", "label", "ids"):
        read = np.concatenate([getattr(piece, name) for piece in pieces])
        np.testing.assert_array_equal(read, getattr(parquet.train, name))


def test_files_of_a_folder_are_one(tmp_path):
    for start in (0, 40, 80):
        FRAME[start : start + 40].to_parquet(tmp_path / f"part-{start}.parquet", index=False)
    np.testing.assert_array_equal(rows_of(tmp_path, WANTED).features, features(FRAME))


def test_missing_values_are_declared_as_in_csv(tmp_path):
    path = tmp_path / "gaps.parquet"
    frame = pd.DataFrame(
        {
            "x": [1.5, None, 3.0],
            "n": pd.array([1, None, 3], dtype="Int64"),
            "color": ["red", None, "blue"],
            "label": [0, 1, 0],
        }
    )
    frame.to_parquet(path)
    with pytest.raises(DataError, match=r"row 1 \(from 0\), column 'x': .*NaN or empty.*missing="):
        rows_of(path, Schema(features=["x", "n"]))
    with pytest.raises(DataError, match="column 'color' holds text; declare its values"):
        rows_of(path, Schema())
    rows = rows_of(path, Schema(missing=math.nan, categories=COLORS))
    expected = [[1.5, 1, 1, 0, 0], [np.nan, np.nan, 0, 0, 0], [3, 3, 0, 0, 1]]
    np.testing.assert_array_equal(rows.features, expected)
    with pytest.raises(DataError, match="the label is nan; correct it or remove the row"):
        rows_of(path, Schema(features=["x"], label="n", missing=math.nan))
    with pytest.raises(DataError, match=r"row 1 .*column 'color': the cell is empty, so nothing"):
        rows_of(path, Schema(features=["x"], key="color", missing=math.nan))


def test_types_and_what_is_left_out(tmp_path):
    path = tmp_path / "types.parquet"
    columns = {
        "small": pa.array([1, 2], pa.uint8()),
        "large": pa.array([2**63, 0], pa.uint64()),
        "gaps": pa.array([2**40, None]),
        "sure": pa.array([True, False]),
        "unsure": pa.array([True, None]),
        "half": pa.array(np.array([1, 2], np.float16)),
        "price": pa.array([decimal.Decimal("1.25"), None]),
        "numbers": pa.array([3, 4]).dictionary_encode(),
        "words": pa.array(["ä", None]).dictionary_encode(),
        "day": pa.array([datetime.date(2024, 2, 29), None]),
        "nothing": pa.nulls(2),
        "list": pa.array([[1], [2, 3]]),
        "bytes": pa.array([b"a", b"b"]),
    }
    pq.write_table(pa.table(columns), path)
    table = ParquetTable(path)
    values = {v.name: table.read(v.name, 0, 2) for v in table.variables}
    assert {name: (held.dtype.name, held.tolist()[0]) for name, held in values.items()} == {
        "small": ("uint8", 1),
        "large": ("uint64", 2**63),
        "gaps": ("float64", 2.0**40),
        "sure": ("bool", True),
        "unsure": ("float64", 1.0),
        "half": ("float16", 1.0),
        "price": ("float64", 1.25),
        "numbers": ("int64", 3),
        "words": ("object", "ä"),
        "day": ("object", "2024-02-29"),
        "nothing": ("object", ""),
    }
    assert {name for name, held in values.items() if held[1] != held[1]} == {
        *("gaps", "unsure", "price")
    }
    assert table.left_out == ["list (list<element: int64>)", "bytes (binary)"]
    table.close()


def test_an_index_of_pandas_is_no_column(tmp_path):
    path = tmp_path / "indexed.parquet"
    FRAME.set_index("run").to_parquet(path)
    table = ParquetTable(path)
    assert "run" not in table.names
    assert table.left_out == ["run (index)"]
    table.close()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[:-20], "is not a complete Parquet file"),
        (lambda content: content[: len(content) // 2], "is not a complete Parquet file"),
        (lambda content: b"", "is not a complete Parquet file"),
        (lambda content: b"PAR1PAR1", "is not a complete Parquet file"),
        (lambda content: b"PAR1" + b"\xff" * 999 + content[1003:], "cannot be read"),
    ],
)
def test_damaged_files_are_refused(path, damage, message):
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=rf"runs\.parquet.*{message}.*write or copy it again"):
        DataSet(path, features=["pt", "n"]).load()


def test_two_columns_of_one_name_are_refused(tmp_path):
    table = pa.table([pa.array([1]), pa.array([2])], names=["x", "x"])
    pq.write_table(table, tmp_path / "twice.parquet")
    with pytest.raises(DataError, match="2 columns are called 'x'"):
        rows_of(tmp_path / "twice.parquet", Schema())


def test_a_file_without_rows_is_refused(tmp_path):
    FRAME[:0].to_parquet(tmp_path / "none.parquet")
    with pytest.raises(DataError, match="has no rows"):
        rows_of(tmp_path / "none.parquet", Schema(features=["pt"]))


def test_a_near_ending_is_suggested(tmp_path):
    (tmp_path / "a.parqet").write_bytes(b"")
    with pytest.raises(DataError, match=r"did you mean '\.parquet'"):
        open_reader(*resolve(tmp_path / "a.parqet", Schema()))


def test_overview_and_conversion(path, tmp_path):
    facts = overview(path, label="label")
    assert (facts.format, facts.rows) == ("Parquet", ROWS)
    assert facts.storage == ["in row groups of at most 10 rows"]
    assert "categories={'color': [...]}" in facts.obstacle
    convert(path, tmp_path / "runs.h5")
    np.testing.assert_array_equal(rows_of(tmp_path / "runs.h5", WANTED).features, features(FRAME))
