"""HDF5 files as h5py writes them, intact and broken."""

import h5py
import numpy as np
import pytest

from matexapps.data.dataset import DataSet
from matexapps.data.schema.schema import Schema
from matexapps.data.sources.formats import open_reader
from matexapps.errors import DataError, MatexError

VALUES = np.random.default_rng(0).normal(size=(500, 4)).astype(np.float32)
VALUES[:, 0] = np.arange(500) % 2
NAMES = ["label", "pt", "eta", "w"]


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.h5"
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("events/table", data=VALUES, chunks=(64, 4), compression=4)
        dataset.attrs["columns"] = NAMES
    return path


@pytest.fixture
def apart(tmp_path):
    path = tmp_path / "apart.hdf5"
    with h5py.File(path, "w") as file:
        file["features"] = VALUES[:, 1:3]
        file["features"].attrs["columns"] = ["pt", "eta"]
        file["labels"] = VALUES[:, 0].astype(np.int8)
        file["weights"] = np.abs(VALUES[:, 3:])
    return path


def test_table_by_names(table):
    rows = open_reader(table, Schema(features=["eta", "pt"], weight="w")).read()
    np.testing.assert_array_equal(rows.features, VALUES[:, [2, 1]])
    np.testing.assert_array_equal(rows.label, VALUES[:, 0])
    np.testing.assert_array_equal(rows.weight, VALUES[:, 3])
    assert rows.features.flags.c_contiguous


@pytest.mark.parametrize(("start", "stop"), [(0, 10), (60, 70), (490, 900), (7, 7)])
def test_slices(table, start, stop):
    reader = open_reader(table, Schema())
    part = reader.read(start, stop)
    np.testing.assert_array_equal(part.features, VALUES[start:stop, 1:])
    np.testing.assert_array_equal(part.ids, np.arange(500)[start:stop])
    assert len(reader) == 500
    assert reader.columns == NAMES[1:]


def test_reading_in_several_blocks_gives_the_same(table, monkeypatch):
    monkeypatch.setattr("matexapps.data.sources.table_reader._PIECE_BYTES", 16 * 37)
    rows = open_reader(table, Schema()).read(3, 480)
    np.testing.assert_array_equal(rows.features, VALUES[3:480, 1:])
    np.testing.assert_array_equal(rows.label, VALUES[3:480, 0])


def test_features_and_labels_apart(apart):
    rows = open_reader(apart, Schema(features="features", weight="weights")).read()
    np.testing.assert_array_equal(rows.features, VALUES[:, 1:3])
    np.testing.assert_array_equal(rows.label, VALUES[:, 0])
    np.testing.assert_array_equal(rows.weight, np.abs(VALUES[:, 3]))
    named = open_reader(apart, Schema(features=["eta"], label="labels"))
    assert named.columns == ["eta"]


def test_same_rows_as_csv_give_the_same_parts(table, tmp_path):
    text = tmp_path / "table.csv"
    lines = [",".join(NAMES), *(",".join(repr(float(v)) for v in row) for row in VALUES)]
    text.write_text("\n".join(lines))
    data = [DataSet(path, weight="w", split="stratified", seed=5).load() for path in (table, text)]
    for name in ("train", "validation", "test"):
        assert getattr(data[0], name).digest() == getattr(data[1], name).digest()


def test_table_without_names_takes_positions_or_given_names(tmp_path):
    path = tmp_path / "plain.h5"
    with h5py.File(path, "w") as file:
        file["x"] = VALUES.astype(np.float64)
    assert open_reader(path, Schema(label=0)).columns == ["column_1", "column_2", "column_3"]
    assert open_reader(path, Schema(columns=NAMES)).columns == NAMES[1:]


def test_declared_missing_values(table, tmp_path):
    with h5py.File(table, "r+") as file:
        file["events/table"][3, 1] = -999
        file["events/table"][5, 2] = np.nan
    rows = open_reader(table, Schema(missing=(-999.0, float("nan")))).read()
    assert np.argwhere(np.isnan(rows.features)).tolist() == [[3, 0], [5, 1]]


@pytest.mark.parametrize(
    ("row", "column", "value", "expected"),
    [
        (311, 2, np.nan, r"row 311 \(from 0\), column 'eta': the value is NaN"),
        (7, 1, np.inf, r"row 7 \(from 0\), column 'pt': inf"),
        (0, 0, np.nan, r"row 0 \(from 0\), column 'label': the label is nan"),
        (499, 3, np.inf, r"row 499 \(from 0\), column 'w': the weight is inf"),
    ],
)
def test_values_that_cannot_be_used(table, row, column, value, expected):
    with h5py.File(table, "r+") as file:
        file["events/table"][row, column] = value
    with pytest.raises(DataError, match=expected):
        DataSet(table, weight="w").load()


def test_wrong_label_names_the_row(table):
    with h5py.File(table, "r+") as file:
        file["events/table"][123, 0] = 2
    with pytest.raises(DataError, match=r"row 123 \(from 0\): the label is 2, neither 0 nor 1"):
        DataSet(table, binary=True).load()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"label": "lable"}, "no column 'lable', which label= asks for; did you mean 'label'"),
        ({"features": ["px"]}, "no column 'px'"),
        ({"classes": ("b", "s")}, "classes= is for labels that are text"),
    ],
)
def test_wrong_settings(table, settings, expected):
    with pytest.raises(DataError, match=expected):
        DataSet(table, **settings).load()


def test_wrong_dataset_names(apart):
    with pytest.raises(DataError, match="no column 'feature', which features= asks for"):
        DataSet(apart, features="feature").load()
    with pytest.raises(DataError, match=r"no column 'weight', .*; did you mean 'weights'"):
        DataSet(apart, features="features", weight="weight").load()


def test_files_that_hold_no_table(tmp_path):
    path = tmp_path / "odd.h5"
    with h5py.File(path, "w") as file:
        file["a"] = np.zeros(3)
    with pytest.raises(DataError, match="no column is left as a feature besides label"):
        DataSet(path, label=0).load()
    with h5py.File(path, "w") as file:
        file["features"], file["label"] = np.zeros((3, 2)), np.zeros(4)
    with pytest.raises(DataError, match=r"label \(4 rows\) is one value .*: features \(3 rows\)"):
        DataSet(path).load()
    with h5py.File(path, "w") as file:
        file["x"] = np.zeros((0, 2))
    with pytest.raises(DataError, match="has no rows"):
        DataSet(path, label=0).load()


def test_truncated_files(table):
    content = table.read_bytes()
    for length in (0, 4, 100, len(content) // 2, len(content) - 1):
        table.write_bytes(content[:length])
        with pytest.raises(DataError, match=r"table\.h5 is not a complete HDF5 .*\(.+\)") as caught:
            DataSet(table).load()
        assert "\n" not in str(caught.value)


def test_text_by_another_name(tmp_path):
    path = tmp_path / "events.h5"
    path.write_text("label,x\n1,2\n")
    with pytest.raises(DataError, match="is not a complete HDF5 file"):
        DataSet(path).load()


def test_damaged_chunks_are_read_or_refused(table):
    with h5py.File(table) as file:
        chunks = file["events/table"].id
        pieces = [chunks.get_chunk_info(i) for i in range(chunks.get_num_chunks())]
    content = table.read_bytes()
    rng = np.random.default_rng(1)
    refused = []
    for _ in range(40):
        damaged = bytearray(content)
        piece = pieces[rng.integers(len(pieces))]
        damaged[piece.byte_offset + int(rng.integers(piece.size))] ^= int(rng.integers(1, 256))
        table.write_bytes(damaged)
        try:
            DataSet(table, weight="w").load()
        except MatexError as error:
            refused.append(str(error))
    assert len(refused) > 20
    assert all("table.h5" in message and "\n" not in message for message in refused)
    assert any("dataset 'events/table'" in message for message in refused)
