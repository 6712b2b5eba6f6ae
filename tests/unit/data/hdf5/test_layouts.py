"""HDF5 files as h5py, pandas and MATLAB lay them out."""

from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import savemat

from matexapps.data.hdf5.table import Hdf5Table
from matexapps.data.schema.schema import Schema
from matexapps.data.sources.formats import open_table
from matexapps.data.sources.table_reader import TableReader
from matexapps.errors import DataError

ROWS = 50
VALUES = np.random.default_rng(0).normal(size=(ROWS, 4)).astype(np.float32)
LABEL = (np.arange(ROWS) % 2).astype(np.int8)
WORDS = ["bad", "good", "grün"]


def reader_of(path, **schema):
    return TableReader(Hdf5Table(path, Schema(**schema)), Schema(**schema))


def read(path, **schema):
    reader = reader_of(path, **schema)
    try:
        return reader.read()
    finally:
        reader.close()


@pytest.fixture
def file(tmp_path):
    with h5py.File(tmp_path / "file.h5", "w") as file:
        yield file


def close(file):
    """Close a file that was written, and return its path."""
    path = Path(file.filename)
    file.close()
    return path


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", ">f4", "i1", "u2", ">i8", "?"])
@pytest.mark.parametrize("storage", [{}, {"chunks": (7, 3)}, {"chunks": (8, 4), "compression": 4}])
def test_every_kind_of_number_and_storage(file, kind, storage):
    values = (VALUES * 10).astype(kind)
    file.create_dataset("x", data=values, **storage)
    file["label"] = LABEL
    rows = read(close(file))
    np.testing.assert_array_equal(rows.features, values.astype(np.float32))
    np.testing.assert_array_equal(rows.label, LABEL)


@pytest.mark.parametrize("shape", [(5, 6), (5, 6, 3), (2, 1, 3, 2)])
def test_samples_that_are_arrays(file, shape):
    images = np.random.default_rng(1).integers(0, 255, (ROWS, *shape), dtype=np.uint8)
    file.create_dataset("images", data=images, chunks=(9, *shape), compression="lzf")
    file["labels"] = LABEL
    reader = reader_of(close(file))
    assert (reader.sample_shape, reader.block_rows) == (shape, 9)
    np.testing.assert_array_equal(reader.read(3, 41).features, images[3:41])


def test_native_byte_order_in_the_table(file):
    file["x"] = VALUES.astype(">f8")
    table = Hdf5Table(close(file), Schema())
    assert table.variables[0].dtype == np.float64
    assert table.read("x", 0, 3).dtype.isnative


def test_blocks_are_those_of_the_largest_dataset(file):
    file.create_dataset("x", data=VALUES, chunks=(5, 4), compression=1)
    file.create_dataset("label", data=LABEL, chunks=(50,))
    assert Hdf5Table(close(file), Schema()).block_rows == 5


def test_datasets_of_other_lengths_are_left_out(file):
    file["features"], file["label"] = VALUES, LABEL
    file["notes"], file["edges"], file["version"] = np.zeros(5), np.zeros((3, 4)), 2
    rows = read(close(file))
    np.testing.assert_array_equal(rows.features, VALUES)


def test_names_choose_between_training_and_test_data(file):
    for part, first, last in (("train", 0, 30), ("test", 30, 50)):
        file[f"{part}/x"], file[f"{part}/label"] = VALUES[first:last], LABEL[first:last]
    path = close(file)
    rows = read(path, features="test/x", label="test/label")
    np.testing.assert_array_equal(rows.features, VALUES[30:])
    np.testing.assert_array_equal(rows.label, LABEL[30:])
    with pytest.raises(
        DataError, match=r"not train/label \(30 rows\), test/label \(20|as many rows"
    ):
        read(path)


def test_training_and_test_data_of_one_length(file):
    file["train/x"], file["train/y"] = VALUES[:25], LABEL[:25]
    file["test/x"], file["test/y"] = VALUES[25:], LABEL[25:]
    path = close(file)
    np.testing.assert_array_equal(read(path, features="test/x", label="test/y").label, LABEL[25:])
    with pytest.raises(DataError, match=r"'y' may be in each of test/y.*path, such as 'test/y'"):
        read(path, features="train/x", label="y")


def test_features_and_label_that_do_not_fit(file):
    file["features"], file["label"] = VALUES, LABEL[:9]
    path = close(file)
    with pytest.raises(DataError, match=r"label \(9 rows\) is one value a row.*features \(50 rows"):
        read(path)
    with pytest.raises(DataError, match=r"not features \(50 rows\), label \(9 rows\)"):
        read(path, features="features", label="label")


def test_the_matrix_with_names_is_meant(file):
    file["other"], file["table"] = VALUES[:, :2], VALUES
    file["table"].attrs["columns"] = ["label", "a", "b", "c"]
    path = close(file)
    assert reader_of(path).columns == ["a", "b", "c"]
    rows = read(path, features="other")
    np.testing.assert_array_equal(rows.features, VALUES[:, :2])


def test_columns_of_one_name_are_told_apart_by_their_paths(file):
    for name, first in (("a", 0), ("b", 25)):
        file[name] = VALUES[first : first + 25]
        file[name].attrs["columns"] = ["label", "x", "y", "z"]
    path = close(file)
    rows = read(path, features=["b/x", "b/z"], label="b/label")
    np.testing.assert_array_equal(rows.features, VALUES[25:, [1, 3]])
    np.testing.assert_array_equal(rows.label, VALUES[25:, 0])
    with pytest.raises(DataError, match=r"'x' may be in each of a .*path, such as 'a/x'"):
        read(path, features=["x"])


@pytest.mark.parametrize("features", [None, "data"])
@pytest.mark.parametrize("label", [None, "label"])
def test_a_label_of_zeros_and_ones_says_what_to_write_instead(file, features, label):
    file["data"], file["label"] = VALUES, np.eye(10)[np.arange(ROWS) % 10]
    path = close(file)
    words = r"'label', which .*, has 10 columns, .*argmax\(label, axis=1\) .*, 4 for the first"
    with pytest.raises(DataError, match=words):
        read(path, features=features, label=label)
    rows = read(path, label=6)
    np.testing.assert_array_equal(rows.features, VALUES)
    np.testing.assert_array_equal(rows.label, np.arange(ROWS) % 10 == 2)


def test_images_beside_a_table_of_what_is_known_of_them(file):
    images = np.arange(ROWS * 6).reshape(ROWS, 2, 3)
    known = np.zeros(ROWS, [("label", "i1"), ("run", "i4")])
    known["label"] = LABEL
    file["images"], file["known"] = images, known
    rows = read(close(file))
    np.testing.assert_array_equal(rows.features, images)
    np.testing.assert_array_equal(rows.label, LABEL)


def test_datasets_of_types_that_numpy_does_not_have_are_left_out(file):
    file["x"], file["label"] = VALUES, LABEL
    odd = h5py.h5t.STD_I32LE.copy()
    odd.set_precision(20)
    h5py.h5d.create(file.id, b"odd", odd, h5py.h5s.create_simple((ROWS,)))
    h5py.h5d.create(file.id, b"time", h5py.h5t.UNIX_D32LE, h5py.h5s.create_simple((ROWS,)))
    np.testing.assert_array_equal(read(close(file), features="x").features, VALUES)


def test_names_given_for_columns(file):
    file["x"], file["label"] = VALUES, LABEL
    path = close(file)
    assert reader_of(path, columns=list("abcd")).columns == list("abcd")
    with pytest.raises(DataError, match=r"columns= gives 3 names, but the file has x \(50 rows"):
        read(path, columns=list("abc"))


@pytest.mark.parametrize("text", [h5py.string_dtype(), h5py.string_dtype(length=8), "S8"])
def test_labels_that_are_texts(file, text):
    words = [WORDS[i % 3] for i in range(ROWS)]
    file["x"] = VALUES
    file.create_dataset("label", data=[word.encode() for word in words], dtype=text)
    path = close(file)
    rows = read(path, classes=WORDS)
    np.testing.assert_array_equal(rows.label, np.arange(ROWS) % 3)
    table = Hdf5Table(path, Schema())
    assert table.read("label", 1, 4).tolist() == words[1:4]


def test_classes_for_a_label_of_numbers(file):
    file["x"], file["label"] = VALUES, LABEL
    with pytest.raises(DataError, match="classes= is for labels that are text, or names one data"):
        read(close(file), classes=("b", "s"))


@pytest.mark.parametrize("shape", [(4,), (), (2, 2)])
def test_a_dataset_for_each_class(file, shape):
    values = VALUES.reshape(ROWS, 4)[:, 0] if shape == () else VALUES.reshape(ROWS, *shape)
    file["dog"], file["cat"] = values[:20].astype("f8"), values[20:]
    path = close(file)
    rows = read(path, classes=("dog", "cat"))
    np.testing.assert_array_equal(rows.features.reshape(values.shape), values)
    np.testing.assert_array_equal(rows.label, np.repeat([0, 1], [20, 30]))
    part = reader_of(path, classes=("cat", "dog")).read(25, 35)
    np.testing.assert_array_equal(part.label, np.repeat([0, 1], [5, 5]))
    np.testing.assert_array_equal(
        part.features.reshape(10, *shape), np.concatenate([values[45:], values[:5]])
    )


def test_classes_that_do_not_fit_together(file):
    file["a"], file["b"] = VALUES, VALUES[:, :3]
    path = close(file)
    with pytest.raises(DataError, match=r"same columns of numbers.*'a' has \(4,\).*'b' \(3,\)"):
        read(path, classes=("a", "b"))
    with pytest.raises(DataError, match="names 'c', which is not a dataset"):
        read(path, classes=("a", "c"))


def test_compound_types(file):
    kind = [
        ("id", "S3"),
        ("label", "i1"),
        ("who", h5py.string_dtype()),
        ("n", ">i4"),
        ("x", "f4", 3),
    ]
    table = np.zeros(ROWS, kind)
    table["label"], table["x"], table["n"] = LABEL, VALUES[:, :3], np.arange(ROWS)
    table["who"], table["id"] = [WORDS[i % 3] for i in range(ROWS)], b"ab"
    file.create_dataset("events", data=table, chunks=(8,), compression=1)
    path = close(file)
    columns = reader_of(path, features=["n", "x"])
    assert columns.columns == ["n", "x_0", "x_1", "x_2"]
    part = columns.read(7, 30)
    np.testing.assert_array_equal(part.features[:, 0], np.arange(7, 30))
    np.testing.assert_array_equal(part.features[:, 1:], VALUES[7:30, :3])
    np.testing.assert_array_equal(part.label, LABEL[7:30])
    np.testing.assert_array_equal(read(path, label="who", classes=WORDS).label, np.arange(ROWS) % 3)
    by_path = read(path, features="events/x", label="events/label")
    np.testing.assert_array_equal(by_path.features, VALUES[:, :3])


def test_fields_and_datasets_that_cannot_be_read_are_named(file):
    kind = np.dtype(
        [("label", "i1"), ("z", "c8"), ("list", h5py.vlen_dtype(np.int32)), ("x", "f4")]
    )
    table = np.zeros(ROWS, kind)
    table["label"], table["x"] = LABEL, VALUES[:, 0]
    table["list"] = [np.arange(2, dtype=np.int32)] * ROWS
    file["events"] = table
    path = close(file)
    np.testing.assert_array_equal(read(path, features=["x"]).features[:, 0], VALUES[:, 0])
    with pytest.raises(DataError, match="'events/z' cannot be read: its type"):
        read(path, features=["z"])


FRAME = pd.DataFrame(
    {
        "pt": VALUES[:, 0].astype(float),
        "label": LABEL.astype(np.int64),
        "eta": VALUES[:, 1].astype(float),
        "charge": np.arange(ROWS, dtype=np.int32) - 20,
        "good": LABEL == 1,
        "weight_b": VALUES[:, 2],
        "time": pd.date_range("2020", periods=ROWS),
    }
)


@pytest.mark.parametrize(
    "form", [{"format": "fixed"}, {"format": "table"}, {"format": "table", "data_columns": True}]
)
@pytest.mark.parametrize("storage", [{}, {"complevel": 4, "complib": "zlib"}])
def test_frames_of_pandas(tmp_path, form, storage):
    path = tmp_path / "frame.h5"
    FRAME.to_hdf(path, key="runs/first", **form, **storage)
    wanted = [name for name in FRAME.columns if name != "label"]
    reader = reader_of(path)
    assert reader.columns == wanted
    rows = reader.read(5, 45)
    numbers = FRAME.assign(time=FRAME["time"].astype("int64"))[wanted]
    np.testing.assert_array_equal(rows.features, numbers.to_numpy()[5:45].astype(np.float32))
    np.testing.assert_array_equal(rows.label, FRAME["label"][5:45])


@pytest.mark.parametrize("data_columns", [None, True, ["who"]])
def test_texts_in_a_table_of_pandas(tmp_path, data_columns):
    path = tmp_path / "frame.h5"
    words = [WORDS[i % 3] for i in range(ROWS)]
    FRAME.assign(who=words).to_hdf(path, key="df", format="table", data_columns=data_columns)
    rows = read(path, features=["eta", "weight_b"], label="who", classes=WORDS)
    np.testing.assert_array_equal(rows.label, np.arange(ROWS) % 3)
    np.testing.assert_array_equal(rows.features, FRAME[["eta", "weight_b"]].to_numpy(np.float32))


def test_columns_that_pandas_pickled_are_left_out(tmp_path):
    path = tmp_path / "frame.h5"
    FRAME.assign(who="x").to_hdf(path, key="df", format="fixed")
    assert "who" not in reader_of(path).columns
    with pytest.raises(DataError, match=r"'df/who' cannot be read: pandas has pickled it.*'table'"):
        read(path, features=["pt", "who"])


def test_categories_of_pandas_are_left_out(tmp_path):
    path = tmp_path / "frame.h5"
    who = pd.Categorical([WORDS[i % 3] for i in range(ROWS)])
    FRAME.assign(who=who).to_hdf(path, key="df", format="table")
    assert "who" not in reader_of(path).columns
    with pytest.raises(DataError, match="'df/who' cannot be read: it holds categories of pandas"):
        read(path, label="who", classes=WORDS)


def test_columns_of_pandas_called_by_numbers(tmp_path):
    for form in ("fixed", "table"):
        path = tmp_path / f"{form}.h5"
        pd.DataFrame(VALUES, columns=[10, 20, 30, 40]).to_hdf(path, key="df", format=form)
        reader = reader_of(path, label="20")
        assert reader.columns == ["10", "30", "40"]
        np.testing.assert_array_equal(reader.read().label, VALUES[:, 1])


def test_several_frames_in_one_file(tmp_path):
    path = tmp_path / "frames.h5"
    FRAME[:30].to_hdf(path, key="train", format="fixed")
    FRAME[30:].to_hdf(path, key="test", format="table")
    rows = read(path, features=["test/pt"], label="test/label")
    np.testing.assert_array_equal(rows.features[:, 0], FRAME["pt"][30:].astype(np.float32))
    with pytest.raises(DataError, match=r"as many rows each, not test \(20 rows\), train \(30 row"):
        read(path)


def test_a_pickle_in_a_name_is_not_run(tmp_path):
    path, mark = tmp_path / "frame.h5", tmp_path / "mark"
    FRAME[["pt", "label", "eta"]].to_hdf(path, key="df", format="table")
    with h5py.File(path, "r+") as file:
        evil = f"cos\nsystem\n(S'touch {mark}'\ntR.".encode()
        file["df/table"].attrs["values_block_0_kind"] = np.bytes_(evil)
    table = Hdf5Table(path, Schema())
    assert sorted(v.name for v in table.variables) == [
        "label",
        "values_block_0_0",
        "values_block_0_1",
    ]
    assert not mark.exists()


def write_matlab(path, arrays):
    """Write arrays as MATLAB's save -v7.3 does: a user block, axes reversed, a class attribute."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, (array, kind) in arrays.items():
            file.create_dataset(name, data=np.asarray(array).T)
            file[name].attrs["MATLAB_class"] = np.bytes_(kind)
        cells = file.create_dataset("names", (1, 2), dtype=h5py.ref_dtype)
        cells.attrs["MATLAB_class"] = np.bytes_("cell")
        for i in range(2):
            file[f"#refs#/{i}"] = np.zeros((ROWS, 1))
            cells[0, i] = file[f"#refs#/{i}"].ref
    with open(path, "r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(116) + bytes(8) + b"\x00\x02IM")


def test_files_of_matlab(tmp_path):
    path = tmp_path / "matlab.mat"
    images = np.arange(ROWS * 6).reshape(ROWS, 2, 3)
    write_matlab(
        path,
        {
            "X": (VALUES.astype(float), "double"),
            "y": (LABEL[:, None], "int8"),
            "images": (images, "uint16"),
            "ok": ((LABEL == 1)[:, None].astype(np.uint8), "logical"),
            "title": (np.frombuffer(b"runs", np.uint8)[None].astype(np.uint16), "char"),
        },
    )
    rows = read(path, features="X", label="y", weight="ok")
    np.testing.assert_array_equal(rows.features, VALUES)
    np.testing.assert_array_equal(rows.label, LABEL)
    np.testing.assert_array_equal(rows.weight, LABEL)
    part = reader_of(path, features="images", label="y").read(4, 9)
    np.testing.assert_array_equal(part.features, images[4:9])
    with pytest.raises(DataError, match="'title' cannot be read: it is a MATLAB char"):
        read(path, features="title", label="y")


def test_files_of_old_versions_of_matlab_are_refused(tmp_path):
    savemat(tmp_path / "old.mat", {"X": VALUES, "label": LABEL})
    with pytest.raises(DataError, match=r"of MATLAB before version 7\.3: save it again"):
        read(tmp_path / "old.mat")


def test_text_before_the_file_is_allowed(tmp_path):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["features"], file["label"] = VALUES, LABEL
    with path.open("r+b") as raw:
        raw.write(b"made by a program of the laboratory ".ljust(512, b"."))
    np.testing.assert_array_equal(read(path).features, VALUES)


def test_a_label_of_zeros_and_ones_for_each_class(file):
    file["x"], file["label"] = VALUES, np.eye(2)[LABEL]
    with pytest.raises(DataError, match=r"'label', .*, has 2 columns, but .*numpy\.argmax"):
        reader_of(close(file), features="x", label="label")


@pytest.mark.parametrize(
    ("shape", "chunks", "what"),
    [
        ((10**9, 4), (1000, 4), "more than 2000 times"),
        ((2, 2**30), (1, 1000), "one row takes"),
        ((2**40, 1), (2**29, 1), "one chunk takes"),
    ],
)
def test_implausible_sizes_are_refused(file, shape, chunks, what):
    file["label"] = LABEL
    file.create_dataset("x", shape, "f4", chunks=chunks)
    with pytest.raises(DataError, match=what):
        open_table(close(file), Schema())


@given(
    rows=st.integers(1, 60),
    chunk=st.integers(1, 70),
    width=st.integers(1, 5),
    compressed=st.booleans(),
    cuts=st.lists(st.integers(0, 60), max_size=4),
)
def test_pieces_are_the_whole(tmp_path_factory, rows, chunk, width, compressed, cuts):
    path = tmp_path_factory.mktemp("pieces") / "x.h5"
    values = np.arange(rows * width, dtype=np.float32).reshape(rows, width)
    with h5py.File(path, "w") as file:
        file.create_dataset(
            "x", data=values, chunks=(min(chunk, rows), width), compression=4 * compressed or None
        )
        file["label"] = np.arange(rows)
    ends = sorted({0, rows, *(cut for cut in cuts if cut < rows)})
    reader = reader_of(path)
    pieces = [reader.read(a, b) for a, b in pairwise(ends)]
    reader.close()
    np.testing.assert_array_equal(np.concatenate([p.features for p in pieces]), values)
    np.testing.assert_array_equal(np.concatenate([p.label for p in pieces]), np.arange(rows))
