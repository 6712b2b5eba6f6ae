"""Files converted from format to format and back hold the same values."""

import gzip

import h5py
import netCDF4
import numpy as np
import pandas as pd
import pytest
import xarray
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from matexapps.data.convert import convert
from matexapps.data.schema.schema import Schema
from matexapps.data.sources.formats import open_table
from matexapps.data.sources.raw_files import RawFiles
from matexapps.data.sources.table import named_columns
from matexapps.errors import DataError

NUMBERS = ["float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint64", "bool"]
# CSV cannot distinguish some texts from numbers or empty cells: here every text begins with a
# letter.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12).map(
    lambda text: f"t{text}" if text else text
)


def columns_of(path):
    """Return all columns of a file by name, rows in order."""
    # A file just written needs no probe.
    binary = path.suffix in (".h5", ".nc")
    files = open_table(path, Schema()) if binary else RawFiles(path, Schema())
    blocks = list(files.blocks())
    if binary:
        files.close()
    columns = {}
    for name, variable, i in named_columns(files.variables):
        arrays = [block[variable.name] for block in blocks]
        is_matrix = len(variable.shape) == 1
        columns[name] = np.concatenate([array[:, i] if is_matrix else array for array in arrays])
    return columns


def assert_same(columns, expected):
    assert set(columns) == set(expected)
    for name, values in expected.items():
        if values.dtype.kind == "O":
            assert columns[name].tolist() == values.tolist(), name
        else:
            np.testing.assert_array_equal(columns[name].astype(values.dtype), values, err_msg=name)


def write_h5(path, arrays):
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            if values.dtype.kind == "O":
                file.create_dataset(name, data=values, dtype=h5py.string_dtype())
            else:
                file[name] = values


@st.composite
def tables(draw, with_arrays):
    rows = draw(st.integers(1, 20))
    arrays = {}
    for i in range(draw(st.integers(2, 5))):
        dtype = draw(st.sampled_from([*NUMBERS, "text"]))
        if dtype == "text":
            texts = draw(st.lists(TEXTS, min_size=rows, max_size=rows))
            arrays[f"v{i}"] = np.array([*texts, None], object)[:-1]
            continue
        shape = (rows,)
        if with_arrays:
            shape += draw(st.sampled_from([(), (1,), (3,), (2, 4), (2, 1, 3)]))
        if dtype.startswith("float"):
            # Subnormal numbers are numbers too.
            values = draw(hnp.arrays(dtype, shape, elements={"allow_subnormal": True}))
        else:
            values = draw(hnp.arrays(dtype, shape))
        arrays[f"v{i}"] = values
    return arrays


def no_reserved_numbers(arrays):
    """Whether NetCDF can distinguish all integers from those never written."""
    return not any(
        values.dtype.kind in "iu"
        and values.dtype.itemsize >= 4
        and (values == netCDF4.default_fillvals[values.dtype.str[1:]]).any()
        for values in arrays.values()
    )


@settings(max_examples=8, deadline=None)
@given(arrays=tables(with_arrays=True), compress=st.booleans())
def test_hdf5_to_netcdf_and_back_keeps_every_value_and_shape(tmp_path_factory, arrays, compress):
    folder = tmp_path_factory.mktemp("round")
    write_h5(folder / "a.h5", arrays)
    before = columns_of(folder / "a.h5")
    if not no_reserved_numbers(arrays):
        with pytest.raises(DataError, match="never written"):
            convert(folder / "a.h5", folder / "b.nc")
        return
    convert(folder / "a.h5", folder / "b.nc", compress=compress)
    assert_same(columns_of(folder / "b.nc"), before)
    convert(folder / "b.nc", folder / "c.h5", compress=compress)
    after = columns_of(folder / "c.h5")
    assert_same(after, before)
    for name, values in before.items():
        dtype = np.uint8 if values.dtype == bool else values.dtype
        assert after[name].dtype == dtype


@settings(max_examples=8, deadline=None)
@given(arrays=tables(with_arrays=False), ending=st.sampled_from(["csv", "tsv", "csv.gz"]))
def test_hdf5_to_csv_and_back_keeps_every_value(tmp_path_factory, arrays, ending):
    folder = tmp_path_factory.mktemp("round")
    write_h5(folder / "a.h5", arrays)
    convert(folder / "a.h5", folder / f"b.{ending}")
    assert_same(columns_of(folder / f"b.{ending}"), arrays)
    convert(folder / f"b.{ending}", folder / "c.h5")
    assert_same(columns_of(folder / "c.h5"), arrays)


def test_csv_is_what_pandas_reads(tmp_path):
    table = pd.DataFrame(
        {
            "name": ["Anna", "B, C", 'say "x"', "two\nlines", ""],
            "whole": np.array([1, -2, 3, 2**62, 0]),
            "x": [0.1, np.nan, 1e300, -np.inf, 3.0],
            "y": np.array([0.1, 1, 2, 1e-40, 3.4e38], np.float32),
        }
    )
    table.to_hdf(tmp_path / "a.h5", key="table", format="table")
    convert(tmp_path / "a.h5", tmp_path / "b.csv")
    read = pd.read_csv(tmp_path / "b.csv", keep_default_na=False, na_values=["nan"])
    assert read["name"].tolist() == table["name"].tolist()
    np.testing.assert_array_equal(read["whole"], table["whole"])
    np.testing.assert_array_equal(read["x"], table["x"])
    np.testing.assert_array_equal(read["y"].astype(np.float32), table["y"])
    assert "3.0" in (tmp_path / "b.csv").read_text()


def test_columns_of_one_type_become_a_matrix_and_the_label_stands_apart(tmp_path):
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(5000, 40)))
    table.columns = [f"c {i}/m" for i in range(40)]
    table.insert(3, "label", np.arange(5000) % 3)
    table.to_csv(tmp_path / "a.csv", index=False)
    done = convert(tmp_path / "a.csv", tmp_path / "b.h5", compress=True)
    assert (done.rows, done.columns) == (5000, 41)
    with h5py.File(tmp_path / "b.h5") as file:
        assert file["features"].shape == (5000, 40)
        assert file["features"].dtype == np.float64
        assert file["features"].chunks == (*file["label"].chunks, 40) == (2**20 // 320, 40)
        assert file["features"].compression == "gzip"
        assert list(file["features"].attrs["columns"]) == [f"c {i}/m" for i in range(40)]
        np.testing.assert_array_equal(file["features"], table.drop(columns="label"))
        np.testing.assert_array_equal(file["label"], table["label"])
        assert file["label"].dtype == np.int64


def test_texts_stand_beside_a_matrix(tmp_path):
    (tmp_path / "a.csv").write_text("name,x,y\nä,1.5,2.5\n,3.5,4.5\n")
    convert(tmp_path / "a.csv", tmp_path / "b.h5")
    with h5py.File(tmp_path / "b.h5") as file:
        np.testing.assert_array_equal(file["features"], [[1.5, 2.5], [3.5, 4.5]])
        assert file["name"].asstr()[:].tolist() == ["ä", ""]


def test_columns_of_several_types_become_a_compound_table_in_their_order(tmp_path):
    (tmp_path / "a.csv").write_text("z,name,a/b,label\n1,x,0.5,0\n2,,1.5,1\n")
    convert(tmp_path / "a.csv", tmp_path / "b.h5")
    with h5py.File(tmp_path / "b.h5") as file:
        assert file["table"].dtype.names == ("z", "name", "a/b", "label")
        assert file["table"]["a/b"].tolist() == [0.5, 1.5]
    assert list(columns_of(tmp_path / "b.h5")) == ["z", "name", "a/b", "label"]


def test_twenty_thousand_columns_of_one_type_fit(tmp_path):
    names = [f"gene_{i}" for i in range(20_000)]
    lines = [",".join(["sample", *names])]
    lines += [",".join([f"s{row}", *(f"{row + i}.5" for i in range(20_000))]) for row in range(3)]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    convert(tmp_path / "a.csv", tmp_path / "b.h5")
    columns = columns_of(tmp_path / "b.h5")
    assert columns["gene_19999"].tolist() == [19999.5, 20000.5, 20001.5]
    assert columns["sample"].tolist() == ["s0", "s1", "s2"]


def test_too_many_columns_of_several_types_say_what_to_do(tmp_path):
    names = [f"a_column_of_a_long_name_{i}" for i in range(3000)]
    row = [str(i) if i % 2 else f"{i}.5" for i in range(3000)]
    (tmp_path / "a.csv").write_text("\n".join([",".join(names), ",".join(row)]))
    with pytest.raises(DataError, match="dtype='float32'"):
        convert(tmp_path / "a.csv", tmp_path / "b.h5")
    convert(tmp_path / "a.csv", tmp_path / "b.h5", dtype="float32")


def test_xarray_reads_the_netcdf_and_names_of_columns_are_its_coordinate(tmp_path):
    values = np.random.default_rng(1).normal(size=(7, 3)).astype(np.float32)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["jets"] = values
        file["jets"].attrs["columns"] = ["pt", "eta", "φ"]
        file["jets"].attrs["units"] = "GeV"
        file["name"] = ["a", "", "c", "d", "e", "f", "g"]
        file.attrs["title"] = "of a test"
    convert(tmp_path / "a.h5", tmp_path / "b.nc", compress=True)
    with xarray.open_dataset(tmp_path / "b.nc") as dataset:
        np.testing.assert_array_equal(dataset["jets"].sel(jets_column="φ"), values[:, 2])
        assert dataset["jets"].attrs["units"] == "GeV"
        assert dataset.attrs["title"] == "of a test"
        assert dataset["name"].values.tolist()[:3] == ["a", "", "c"]


def test_units_go_from_netcdf_to_a_matrix_column_by_column(tmp_path):
    xarray.Dataset(
        {
            "t": ("time", [1.0, 2.0], {"units": "K"}),
            "p": ("time", [3.0, np.nan], {"units": "Pa", "long_name": "pressure"}),
        }
    ).to_netcdf(tmp_path / "a.nc")
    convert(tmp_path / "a.nc", tmp_path / "b.h5")
    with h5py.File(tmp_path / "b.h5") as file:
        assert list(file["features"].attrs["units"]) == ["K", "Pa"]
        assert list(file["features"].attrs["long_name"]) == ["", "pressure"]
        np.testing.assert_array_equal(file["features"], [[1.0, 3.0], [2.0, np.nan]])


def test_one_type_for_all_numbers(tmp_path):
    (tmp_path / "a.csv").write_text("n,x,name\n1,0.1,a\n2,0.2,b\n")
    convert(tmp_path / "a.csv", tmp_path / "b.h5", dtype="float32")
    with h5py.File(tmp_path / "b.h5") as file:
        assert file["features"].dtype == np.float32
        np.testing.assert_array_equal(file["features"], np.array([[1, 0.1], [2, 0.2]], "f4"))


@pytest.mark.parametrize(
    ("cell", "dtype", "value"),
    [
        ("16777217", "float32", "16777217"),
        ("9223372036854775807", "float64", "9223372036854775807"),
        ("1e39", "float32", r"1e\+39"),
        ("0.5", "int32", "0.5"),
        ("nan", "int64", "nan"),
        ("300", "uint8", "300"),
        ("-1", "uint8", "-1"),
    ],
)
def test_a_number_that_the_type_does_not_hold_is_named(tmp_path, cell, dtype, value):
    (tmp_path / "a.csv").write_text(f"x,y\n1,1\n{cell},2\n")
    with pytest.raises(DataError, match=f"'x', row 1 .*: {value}.* does not fit into {dtype}"):
        convert(tmp_path / "a.csv", tmp_path / "b.h5", dtype=dtype)
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_a_folder_becomes_one_file(tmp_path):
    (tmp_path / "runs").mkdir()
    for i, cell in ((10, "2.5"), (2, "1")):
        (tmp_path / "runs" / f"part-{i}.csv").write_text(f"x,name\n{cell},n{i}\n")
    convert(tmp_path / "runs", tmp_path / "all.csv.gz")
    with gzip.open(tmp_path / "all.csv.gz", "rt") as file:
        assert file.read() == "x,name\n1.0,n2\n2.5,n10\n"
    (tmp_path / "runs" / "part-3.csv").write_text("x,name\nmany,n3\n")
    with pytest.raises(DataError, match=r"part-3.csv: 'x' is text, but int64"):
        convert(tmp_path / "runs", tmp_path / "all.csv.gz", overwrite=True)


def test_a_target_that_exists_is_kept_unless_it_may_be_replaced(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "b.tsv").write_text("mine")
    with pytest.raises(DataError, match="exists already"):
        convert(tmp_path / "a.csv", tmp_path / "b.tsv")
    assert (tmp_path / "b.tsv").read_text() == "mine"
    convert(tmp_path / "a.csv", tmp_path / "b.tsv", overwrite=True)
    assert (tmp_path / "b.tsv").read_text() == "x\ty\n1\t2\n"


def test_a_source_that_breaks_off_leaves_the_old_target_and_nothing_else(tmp_path):
    text = gzip.compress(b"x,y\n" + b"1.5,2.5\n" * 200_000)
    (tmp_path / "a.csv.gz").write_bytes(text[: len(text) // 2])
    (tmp_path / "b.h5").write_bytes(b"old")
    with pytest.raises(DataError, match="gzip"):
        convert(tmp_path / "a.csv.gz", tmp_path / "b.h5", overwrite=True)
    assert (tmp_path / "b.h5").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv.gz", "b.h5"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"x,y\n1,2\n3\n", "row 3: 1 columns instead of 2"),
        (b"x,y\n1,\xff\n", "row 2: the text is not UTF-8"),
        (b"x,y\n", "has no rows"),
    ],
)
def test_faults_of_a_csv_are_named(tmp_path, text, message):
    (tmp_path / "a.csv").write_bytes(text)
    with pytest.raises(DataError, match=message):
        convert(tmp_path / "a.csv", tmp_path / "b.h5")


@pytest.mark.parametrize(
    ("cells", "dtype"),
    [
        (["1", "2"], "int64"),
        (["1", "18446744073709551615"], "uint64"),
        (["-1", "18446744073709551615"], "float64"),
        (["1", ""], "float64"),
        (["1", "NA"], "float64"),
        ([" 1 ", "2.5"], "float64"),
        (["nan", ""], "float64"),
        (["0x10", "0x11"], "object"),
        (["1", "one"], "object"),
        (["", "NA"], "object"),
    ],
)
def test_the_type_of_a_csv_column_is_the_narrowest(tmp_path, cells, dtype):
    (tmp_path / "a.csv").write_text("x,y\n" + "".join(f"{cell},t\n" for cell in cells))
    assert RawFiles(tmp_path / "a.csv", Schema()).variables[0].dtype == dtype


def test_a_type_that_shows_late_holds_for_the_whole_column(tmp_path):
    rows = [f"{i},{i},x" for i in range(300_000)]
    rows[-1] = "0.5,late,x"
    (tmp_path / "a.csv").write_text("\n".join(["a,b,c", *rows]))
    columns = columns_of(tmp_path / "a.csv")
    assert columns["a"][[0, 299_998, 299_999]].tolist() == [0.0, 299_998.0, 0.5]
    assert columns["b"][[0, 299_998, 299_999]].tolist() == ["0", "299998", "late"]


def test_what_a_format_cannot_hold_is_said(tmp_path):
    with h5py.File(tmp_path / "images.h5", "w") as file:
        file["images"] = np.zeros((3, 4, 4))
    with pytest.raises(DataError, match=r"'images' is float64, 4 x 4 a row.*\.h5 or \.nc"):
        convert(tmp_path / "images.h5", tmp_path / "b.csv")
    (tmp_path / "a.csv").write_text("m/s,y\n1,a\n")
    with pytest.raises(DataError, match="no variables called 'm/s'"):
        convert(tmp_path / "a.csv", tmp_path / "b.nc")
    with pytest.raises(DataError, match=r"end in \.h5"):
        convert(tmp_path / "a.csv", tmp_path / "b.parquet")
    with pytest.raises(DataError, match="did you mean 'float32'"):
        convert(tmp_path / "a.csv", tmp_path / "b.h5", dtype="flaot32")
    with pytest.raises(DataError, match=r"\.gz"):
        convert(tmp_path / "a.csv", tmp_path / "b.csv", compress=True)
    with pytest.raises(DataError, match="no folder"):
        convert(tmp_path / "a.csv", tmp_path / "no" / "b.h5")


@pytest.mark.parametrize("ending", [".h5", ".nc", ".csv"])
def test_what_is_left_out_is_said(tmp_path, ending):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"], file["y"], file["axis"] = np.zeros((5, 2)), np.zeros(5), np.zeros(3)
    assert "axis (3 rows)" in convert(tmp_path / "a.h5", tmp_path / f"b{ending}").note
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        file.createDimension("time", None)
        file.createDimension("station", 2)
        file.createVariable("height", "f4", ("station",))[:] = 1
        file.createVariable("rain", "f4", ("time", "station"))[:] = np.ones((4, 2))
    done = convert(tmp_path / "a.nc", tmp_path / f"c{ending}")
    assert "height (station)" in done.note
    assert convert(tmp_path / f"c{ending}", tmp_path / "d.h5").note == ""


def test_names_that_mislead_a_csv_reader_are_quoted_or_pointed_out(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["m"] = np.arange(6.0).reshape(2, 3)
        file["m"].attrs["columns"] = ["a;b;c", 'd "e"', "f"]
        file["n"] = np.arange(2)
    done = convert(tmp_path / "a.h5", tmp_path / "b.csv")
    assert list(columns_of(tmp_path / "b.csv")) == ["a;b;c", 'd "e"', "f", "n"]
    assert done.note == ""
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["m"].attrs["columns"] = ["#", "event", "f"]
    convert(tmp_path / "a.h5", tmp_path / "b.csv", overwrite=True)
    assert list(columns_of(tmp_path / "b.csv")) == ["#", "event", "f", "n"]
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["m"].attrs["columns"] = ["2020", "2021", "f"]
    done = convert(tmp_path / "a.h5", tmp_path / "b.csv", overwrite=True)
    assert "'2020'" in done.note
    assert "header=True" in done.note
