"""The overview of a file agrees with numpy and pandas."""

import h5py
import netCDF4
import numpy as np
import pandas as pd
import pytest

from matexapps.data.overview.column_facts import MOST_DIFFERENT
from matexapps.data.overview.overview import overview
from matexapps.data.schema.schema import Schema
from matexapps.errors import DataError

RANDOM = np.random.default_rng(3)


@pytest.fixture
def people(tmp_path):
    rows = 40_000
    table = pd.DataFrame(
        {
            "city": RANDOM.choice(["Bonn", "Ulm", "Köln, Süd", ""], rows, p=[0.5, 0.3, 0.1, 0.1]),
            "age": RANDOM.normal(1e6, 1.0, rows),
            "kind": 4,
            "label": RANDOM.choice(["yes", "no"], rows),
        }
    )
    table.loc[RANDOM.random(rows) < 0.1, "age"] = np.nan
    table.to_csv(tmp_path / "people.csv", index=False)
    return tmp_path / "people.csv", table


def test_numbers_and_texts_of_a_csv(people):
    path, table = people
    facts = overview(path)
    assert (facts.format, facts.rows, facts.files) == ("CSV", len(table), 1)
    assert facts.storage == ["comma between cells, with a header"]
    assert facts.bytes == path.stat().st_size
    city, age, kind, label = facts.columns
    assert [c.type for c in facts.columns] == ["text", "float64", "int64", "text"]
    assert (age.minimum, age.maximum) == (table["age"].min(), table["age"].max())
    assert age.mean == pytest.approx(table["age"].mean(), rel=1e-12)
    assert age.missing == table["age"].isna().sum()
    counts = table["city"].value_counts()
    assert list(city.frequent) == [(name, counts[name]) for name in ("Bonn", "Ulm", "Köln, Süd")]
    assert (city.different, city.missing) == (3, counts[""])
    assert kind.constant
    assert not label.constant
    balance = table["label"].value_counts()
    assert list(facts.label.classes) == [("no", balance["no"]), ("yes", balance["yes"])]
    assert not facts.label.is_sorted
    assert facts.training is None
    assert "classes=('no', 'yes')" in facts.obstacle
    assert any(note.startswith("kind: one value only") for note in facts.notes)
    assert any(note.startswith("age: cells are missing") for note in facts.notes)


def test_training_needs_follow_the_schema(people):
    path, table = people
    schema = Schema(features=["age", "kind"], classes=("no", "yes"))
    training = overview(path, schema=schema, ranks=3, memory="1MB").training
    assert training.features == 2
    assert training.row_bytes == 4 * 2 + 8 + 8
    assert training.bytes == training.row_bytes * len(table)
    assert not training.in_memory
    assert (training.train, training.validation, training.test) == (28_000, 4_000, 8_000)
    assert training.rows_a_rank == (9_333, 9_334)
    assert overview(path, schema=schema, memory="1.92MB").training.in_memory
    named = Schema(features=["age", "city"], classes=("no", "yes"))
    assert "city: text is not a number" in overview(path, schema=named).obstacle
    with_text = overview(path, schema=Schema(classes=("no", "yes")))
    assert "city" in with_text.obstacle
    assert "categories=" in with_text.obstacle


def test_what_is_not_among_the_rows_is_told(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["signal"], file["background"] = np.zeros((60, 4)), np.ones((40, 4))
    facts = overview(tmp_path / "a.h5")
    assert facts.rows == 60
    (note,) = [note for note in facts.notes if "background (40 rows)" in note]
    assert "classes=" in note
    both = overview(tmp_path / "a.h5", schema=Schema(classes=["signal", "background"]))
    assert both.rows == 100
    assert not any("not among" in note for note in both.notes)


def test_images_of_an_hdf5_file_sorted_by_label(tmp_path):
    images = RANDOM.integers(0, 200, (600, 9, 8)).astype(np.uint8)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("images", data=images, chunks=(50, 9, 8), compression="gzip")
        file["label"] = np.repeat([3, 1, 2], 200)
    facts = overview(tmp_path / "a.h5")
    assert facts.format == "HDF5"
    assert "images: 600 x 9 x 8, in chunks of 50 x 9 x 8, gzip" in facts.storage
    image = facts.columns[0]
    assert (image.name, image.type) == ("images", "uint8, 9 x 8 a row")
    assert (image.minimum, image.maximum) == (images.min(), images.max())
    assert image.mean == pytest.approx(images.mean())
    assert list(facts.label.classes) == [(1, 200), (2, 200), (3, 200)]
    assert facts.label.is_sorted
    assert facts.training.features == 72
    assert any("must shuffle" in note for note in facts.notes)


def test_a_label_to_be_predicted_is_no_class(tmp_path):
    values = np.sort(RANDOM.normal(size=(1000, 3)), axis=0)
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        file.createDimension("run", None)
        for i, name in enumerate(("x", "y", "energy")):
            file.createVariable(name, "f8", ("run",), zlib=i == 0, chunksizes=(100,))[:] = values[
                :, i
            ]
    facts = overview(tmp_path / "a.nc", label="energy", weight="x")
    assert facts.format == "NetCDF-4"
    assert facts.storage[0] == "x: 1,000, in chunks of 100, zlib"
    assert facts.label.name == "energy"
    assert not facts.label.classes
    assert facts.label.is_sorted
    assert facts.training.features == 1
    assert facts.training.row_bytes == 4 + 8 + 8 + 8


@pytest.mark.parametrize(
    ("label", "is_sorted"),
    [
        ([0, 0, 1, 1, 1, 2], True),
        ([2, 2, 0, 0, 1, 1], True),
        ([0, 1, 0, 1, 2, 2], False),
        ([1, 1, 1, 1, 1, 1], False),
        ([0.5, 1.5, 1.5, 2, 3, 4], True),
        ([4, 3, 2, 2, 1, 0.5], True),
        ([0.5, 1.5, 1.0, 2, 3, 4], False),
    ],
)
def test_whether_rows_are_sorted_by_label(tmp_path, label, is_sorted):
    pd.DataFrame({"x": range(6), "label": label}).to_csv(tmp_path / "a.csv", index=False)
    assert overview(tmp_path / "a.csv").label.is_sorted == is_sorted


def test_order_is_seen_across_blocks(tmp_path):
    label = np.repeat([0, 1], 400_000)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"], file["label"] = np.zeros(800_000), label
    assert overview(tmp_path / "a.h5").label.is_sorted
    label[[100, 799_000]] = 1, 0
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["label"][:] = label
    assert not overview(tmp_path / "a.h5").label.is_sorted


def test_without_a_label_the_rest_is_told_and_what_to_do(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,inf\n2,0.5\n")
    facts = overview(tmp_path / "a.csv")
    assert facts.label is None
    assert facts.training is None
    assert "no column is called 'label'" in facts.obstacle
    assert facts.columns[1].infinite
    assert any(note.startswith("y: infinite") for note in facts.notes)
    with pytest.raises(DataError, match="no column 'z'"):
        overview(tmp_path / "a.csv", label="z")


def test_texts_that_are_all_different_are_not_kept(tmp_path):
    rows = MOST_DIFFERENT + 1
    pd.DataFrame({"name": [f"n{i}" for i in range(rows)], "label": 1}).to_csv(
        tmp_path / "a.csv", index=False
    )
    name = overview(tmp_path / "a.csv").columns[0]
    assert name.different is None
    assert name.frequent == []


def test_a_name_that_stands_twice_is_pointed_out(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name in ("a", "b"):
            file[name] = np.arange(8.0).reshape(4, 2)
            file[name].attrs["columns"] = ["x", f"y{name}"]
        file["label"] = [0, 1, 0, 1]
    facts = overview(tmp_path / "a.h5", schema=Schema(features=["a", "b"]))
    assert "x: more than one column is called so" in facts.notes
    assert [c.name for c in facts.columns] == ["x", "ya", "b/x", "yb", "label"]


def test_files_of_a_folder_are_told_as_one(tmp_path):
    for i in range(3):
        (tmp_path / f"run-{i}.csv").write_text("x,label\n" + f"{i},{i % 2}\n" * 10)
    facts = overview(tmp_path)
    assert (facts.files, facts.rows) == (3, 30)
    assert list(facts.label.classes) == [(0, 20), (1, 10)]
    assert facts.columns[0].mean == 1.0


def test_only_data_of_a_pandas_file_is_told(tmp_path):
    table = pd.DataFrame({"a": np.arange(50.0), "label": np.arange(50) % 2})
    table.to_hdf(tmp_path / "a.h5", key="t", format="table", data_columns=True)
    facts = overview(tmp_path / "a.h5")
    assert [column.name for column in facts.columns] == ["a", "label"]
    assert len(facts.storage) == 1
    assert facts.storage[0].startswith("t/table: 50, in chunks of")
