"""Folders and patterns: many files, one data set."""

import gzip

import h5py
import numpy as np
import pandas as pd
import pytest

from matexapps.comm.single import SingleProcess
from matexapps.data.schema.schema import Schema
from matexapps.data.sources.formats import open_reader
from matexapps.data.sources.source import resolve
from matexapps.errors import DataError

NUMBERS = (1, 2, 10, 11, 100)


def part(number):
    """Three to seven rows whose first feature is the number of their file."""
    rows = 3 + number % 5
    return pd.DataFrame(
        {
            "label": np.arange(rows) % 2,
            "part": number,
            "x": np.arange(rows) / 4,
            "run": [f"r{number}"] * rows,
        }
    )


def write_csv(folder, ending=".csv"):
    folder.mkdir()
    for number in NUMBERS:
        text = part(number).to_csv(index=False)
        data = gzip.compress(text.encode()) if ending.endswith(".gz") else text.encode()
        (folder / f"part-{number}{ending}").write_bytes(data)
    return folder


def write_hdf5(folder):
    folder.mkdir()
    for number in NUMBERS:
        table = part(number)
        with h5py.File(folder / f"part-{number}.h5", "w") as file:
            file["features"] = table[["part", "x"]].to_numpy(np.float32)
            file["label"] = table["label"]
    return folder


EXPECTED = pd.concat([part(number) for number in NUMBERS], ignore_index=True)


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".csv.gz"])
@pytest.mark.parametrize("pattern", ["", "*", "part-*"])
def test_csv_files_are_read_in_natural_order(tmp_path, ending, pattern):
    folder = write_csv(tmp_path / "runs", ending)
    (folder / "README.txt").write_text("not data")
    (folder / "LICENCE.txt").write_text("not data")
    (folder / "settings.json").write_text("{}")
    (folder / ".part-0.csv").write_text("not data")
    (folder / "older").mkdir()
    reader = open_reader(folder / pattern, Schema(features=["part", "x"], key="run"))
    assert reader.estimated_rows() >= len(EXPECTED)
    rows = reader.read()
    assert len(reader) == len(EXPECTED)
    np.testing.assert_array_equal(rows.features, EXPECTED[["part", "x"]].to_numpy(np.float32))
    np.testing.assert_array_equal(rows.label, EXPECTED["label"])
    np.testing.assert_array_equal(rows.key, EXPECTED["run"])
    np.testing.assert_array_equal(rows.ids, np.arange(len(EXPECTED)))
    np.testing.assert_array_equal(reader.read(3, 9).ids, np.arange(3, 9))
    last = len(EXPECTED) - 1
    assert reader.locate(last) == f"{folder / f'part-100{ending}'}, row 4"


def test_hdf5_files_are_read_by_row(tmp_path):
    reader = open_reader(write_hdf5(tmp_path / "runs"), Schema())
    assert reader.by_row
    assert len(reader) == len(EXPECTED)
    rows = reader.read_all(SingleProcess())
    expected = EXPECTED[["part", "x"]].to_numpy(np.float32)
    np.testing.assert_array_equal(rows.features, expected)
    for start in range(0, len(EXPECTED), 3):
        for stop in (start, start + 1, start + 8, len(EXPECTED)):
            rows = reader.read(start, stop)
            np.testing.assert_array_equal(rows.features, expected[start:stop])
            np.testing.assert_array_equal(rows.ids, np.arange(len(EXPECTED))[start:stop])
    assert "part-2.h5, row 1" in reader.locate(5)
    reader.close()


def test_more_files_than_are_open_at_a_time(tmp_path):
    for number in range(150):
        with h5py.File(tmp_path / f"{number}.h5", "w") as file:
            file["features"], file["label"] = np.full((2, 3), number), [0, 1]
    reader = open_reader(tmp_path, Schema())
    np.testing.assert_array_equal(reader.read().features[:, 0], np.repeat(np.arange(150), 2))
    np.testing.assert_array_equal(reader.read(7, 9).features[:, 0], [3, 4])
    reader.close()


def test_a_folder_with_one_file(tmp_path):
    part(1).to_csv(tmp_path / "only.csv", index=False)
    assert len(open_reader(tmp_path, Schema(features=["x"])).read()) == len(part(1))


@pytest.mark.parametrize(
    ("change", "how"),
    [
        (lambda t: t.drop(columns="x"), "it has no column 'x'"),
        (lambda t: t.assign(y=1), "it has a column 'y' more"),
        (lambda t: t[["x", "part", "label"]], "its columns stand in another order; name"),
    ],
)
@pytest.mark.parametrize("ending", [".csv", ".h5"])
def test_a_file_with_other_columns_is_named(tmp_path, change, how, ending):
    for number in (1, 2, 3):
        table = part(number).drop(columns="run")
        table = change(table) if number == 2 else table
        path = tmp_path / f"part-{number}{ending}"
        if ending == ".csv":
            table.to_csv(path, index=False)
            continue
        features = table.drop(columns="label")
        with h5py.File(path, "w") as file:
            file["features"], file["label"] = features.to_numpy(), table["label"]
            file["features"].attrs["columns"] = list(features.columns)
    with pytest.raises(DataError, match=rf"part-2{ending} does not have the columns .*: {how}"):
        open_reader(tmp_path, Schema())


def test_a_fault_names_its_file(tmp_path):
    folder = write_csv(tmp_path / "runs")
    with (folder / "part-10.csv").open("a") as file:
        file.write("1,2,oops,r10\n")
    with pytest.raises(DataError, match=r"part-10\.csv, row 5, column 'x': 'oops'"):
        open_reader(folder, Schema(features=["x"])).read()


def test_a_key_that_is_text_in_one_file_only(tmp_path):
    (tmp_path / "1.csv").write_text("label,x,run\n0,1,7\n")
    (tmp_path / "2.csv").write_text("label,x,run\n0,1,seven\n")
    with pytest.raises(DataError, match=r"2\.csv: the split's column holds text, but numbers in"):
        open_reader(tmp_path, Schema(key="run")).read()


def test_folders_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match="is a folder that holds no data file"):
        open_reader(tmp_path, Schema())
    with pytest.raises(DataError, match=r"the pattern .*\*\.csv matches no data file"):
        open_reader(tmp_path / "*.csv", Schema())
    write_csv(tmp_path / "runs")
    with pytest.raises(DataError, match=r"no data file; folders in it do: .*/\*\*/\*\.csv'"):
        open_reader(tmp_path, Schema())
    (tmp_path / "runs" / "more.h5").touch()
    with pytest.raises(DataError, match=r"of several formats \(CSV: part-1.csv, .*HDF5: more.h5\)"):
        open_reader(tmp_path / "runs", Schema())


def test_patterns_and_folders_are_sources(tmp_path, monkeypatch):
    write_csv(tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    for source in ("runs", "runs/", "run*/*", "runs/*.csv"):
        path, _ = resolve(source, Schema())
        reader = open_reader(path, Schema(features=["x"]))
        assert len(reader) == len(EXPECTED)
