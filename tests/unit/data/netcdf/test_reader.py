"""NetCDF files as scipy, netCDF4 and xarray write them, intact and broken."""

import math
import warnings

import netCDF4
import numpy as np
import pytest
import xarray
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import netcdf_file

from matexapps.data.netcdf.table import NetcdfTable
from matexapps.data.netcdf.values import Decoding
from matexapps.data.schema.schema import Schema
from matexapps.data.sources.table_reader import TableReader
from matexapps.errors import DataError

VALUES = np.random.default_rng(0).normal(size=(50, 3))
LABEL = (np.arange(50) % 2).astype(np.int32)
NETCDF4_FORMATS = ["NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA", "NETCDF4"]


def reader_of(path, **schema):
    return TableReader(NetcdfTable(path, Schema(**schema)), Schema(**schema))


def read(path, **schema):
    return reader_of(path, **schema).read()


def write(path, variables, lengths, **options):
    """Write with netCDF4: ``variables`` holds (type, dimensions, values, settings) by name."""
    with netCDF4.Dataset(path, "w", **options) as file:
        for name, length in lengths.items():
            file.createDimension(name, length)
        for name, (kind, dimensions, values, *settings) in variables.items():
            settings = dict(*settings)
            attributes = settings.pop("attributes", {})
            variable = file.createVariable(name, kind, dimensions, **settings)
            variable.setncatts(attributes)
            variable.set_auto_maskandscale(False)
            variable[:] = values
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data.nc"


@pytest.mark.parametrize("version", [1, 2])
def test_records_of_several_variables_written_by_scipy(path, version):
    with netcdf_file(path, "w", version=version) as file:
        file.createDimension("time", None)
        file.createDimension("channel", 3)
        file.createVariable("time", "f8", ("time",))[:] = np.arange(50) * 0.5
        file.createVariable("reading", ">f8", ("time", "channel"))[:] = VALUES
        file.createVariable("flag", "i2", ("time",))[:] = np.arange(50)
        file.createVariable("label", "i1", ("time",))[:] = LABEL
        file.createVariable("height", "f4", ("channel",))[:] = 1
    reader = reader_of(path, features=["reading", "flag", "time"])
    rows = reader.read(7, 33)
    assert reader.columns == ["reading_0", "reading_1", "reading_2", "flag", "time"]
    np.testing.assert_array_equal(rows.features[:, :3], VALUES[7:33].astype(np.float32))
    np.testing.assert_array_equal(rows.features[:, 3], np.arange(7, 33))
    np.testing.assert_array_equal(rows.features[:, 4], np.arange(7, 33) * 0.5)
    np.testing.assert_array_equal(rows.label, LABEL[7:33])


@pytest.mark.parametrize("kind", ["i1", "i2", "f4"])
def test_a_lone_record_variable_stands_without_padding(path, kind):
    with netcdf_file(path, "w") as file:
        file.createDimension("time", None)
        file.createVariable("x", kind, ("time",))[:] = np.arange(49)
    np.testing.assert_array_equal(NetcdfTable(path, Schema()).read("x", 0, 49), np.arange(49))


@pytest.mark.parametrize("format", NETCDF4_FORMATS)
@pytest.mark.parametrize("length", [None, 50])
def test_every_type_written_by_netcdf4(path, format, length):
    kinds = ["i1", "i2", "i4", "f4", "f8"]
    if format in ("NETCDF3_64BIT_DATA", "NETCDF4"):
        kinds += ["u1", "u2", "u4", "i8", "u8"]
    variables = {kind: (kind, ("row",), np.arange(50)) for kind in kinds}
    write(path, variables, {"row": length}, format=format)
    table = NetcdfTable(path, Schema())
    assert table.is_classic == (format != "NETCDF4")
    assert [(v.name, v.dtype.str[1:]) for v in table.variables] == [(k, k) for k in kinds]
    for kind in kinds:
        values = table.read(kind, 3, 50)
        assert values.dtype == np.dtype(kind)
        np.testing.assert_array_equal(values, np.arange(3, 50))
    assert table.read("i1", 4, 4).shape == (0,)


def test_compressed_chunked_big_endian(path):
    settings = {"chunksizes": (8, 2), "zlib": True, "shuffle": True, "endian": "big"}
    write(
        path,
        {"x": (">f4", ("row", "k"), VALUES, settings), "label": ("i4", ("row",), LABEL)},
        {"row": 50, "k": 3},
    )
    reader = reader_of(path)
    assert reader.block_rows == 8
    rows = reader.read(3, 29)
    assert rows.features.dtype == np.float32
    assert rows.features.dtype.isnative
    np.testing.assert_array_equal(rows.features, VALUES[3:29].astype(np.float32))


@pytest.mark.parametrize("engine", ["netcdf4", "scipy"])
def test_xarray_with_named_columns(path, engine):
    data = xarray.Dataset(
        {
            "x": (("row", "feature"), VALUES, {"units": "m"}),
            "label": ("row", LABEL),
            "site": ("row", np.array(["Zürich", "Oslo"])[LABEL]),
        },
        coords={"feature": ["pt", "eta", "phi"], "row": np.arange(50) * 2.0},
    )
    data.to_netcdf(path, engine=engine)
    sites = {"site": ["Oslo", "Zürich"]}
    reader = reader_of(path, features=["x", "site"], categories=sites)
    assert reader.columns == ["pt", "eta", "phi", "site=Oslo", "site=Zürich"]
    rows = reader.read()
    np.testing.assert_array_equal(rows.features[:, :3], VALUES.astype(np.float32))
    np.testing.assert_array_equal(rows.features[:, 3], LABEL)
    table = NetcdfTable(path, Schema())
    assert table.read("site", 0, 2).tolist() == ["Zürich", "Oslo"]


def test_xarray_with_packing_times_and_missing_values(path):
    time = np.datetime64("2020-01-01", "ns") + np.arange(50) * np.timedelta64(6, "h")
    values = VALUES[:, 0].copy()
    values[5] = np.nan
    data = xarray.Dataset({"x": ("time", values), "label": ("time", LABEL)}, {"time": time})
    packed = {"dtype": "i2", "scale_factor": 0.001, "add_offset": 1.0, "_FillValue": -32768}
    data.to_netcdf(path, encoding={"x": packed, "time": {"units": "hours since 2020-01-01"}})
    with pytest.raises(
        DataError, match=r"data\.nc, row 5 \(from 0\), column 'x': the value is NaN"
    ):
        read(path)
    rows = read(path, missing=math.nan, features=["x", "time"])
    with xarray.open_dataset(path) as own:
        np.testing.assert_array_equal(rows.features[:, 0], own.x.values.astype(np.float32))
    np.testing.assert_array_equal(rows.features[:, 1], np.arange(50) * 6)


CONVENTIONS = {
    "fill value": ("f4", {"_FillValue": np.float32(-999)}),
    "fill value of integers": ("i4", {"_FillValue": np.int32(3)}),
    "library's own fill value": ("f8", {}),
    "missing values of two kinds": ("i2", {"missing_value": np.array([3, 7], "i2")}),
    "missing value of another type": ("f4", {"missing_value": 3.0}),
    "missing value that no byte can hold": ("i1", {"missing_value": 300.0}),
    "packed": ("i2", {"scale_factor": 0.01, "add_offset": 5.0, "_FillValue": np.int16(3)}),
    "packed floats": ("f4", {"scale_factor": 2.0, "missing_value": np.float32(4)}),
    "unsigned": ("i1", {"_Unsigned": "true", "_FillValue": np.int8(-2)}),
    "unsigned and packed": ("i2", {"_Unsigned": "true", "scale_factor": 0.5}),
    "valid range": ("i2", {"valid_range": np.array([2, 30], "i2")}),
    "valid bounds": ("f8", {"valid_min": 2.0, "valid_max": 30.0}),
}


@pytest.mark.parametrize("case", CONVENTIONS)
@pytest.mark.parametrize("format", ["NETCDF3_CLASSIC", "NETCDF4"])
def test_conventions_mean_what_netcdf4_takes_them_for(path, case, format):
    kind, attributes = CONVENTIONS[case]
    stored = np.arange(50).astype(kind)
    stored[[10, 11]] = [-2, -999] if kind != "i1" else [-2, -9]
    if case == "library's own fill value":
        stored[12] = netCDF4.default_fillvals["f8"]
    attributes = dict(attributes)
    settings = {"attributes": attributes}
    if "_FillValue" in attributes:
        settings["fill_value"] = attributes.pop("_FillValue")
    write(path, {"x": (kind, ("row",), stored, settings)}, {"row": 50}, format=format)
    with netCDF4.Dataset(path) as own, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = np.ma.filled(own["x"][:].astype("f8"), np.nan)
    table = NetcdfTable(path, Schema())
    values = table.read("x", 0, 50)
    assert values.dtype == table.variables[0].dtype
    np.testing.assert_allclose(values, expected, rtol=1e-6)
    assert np.isnan(expected).any() == (
        case not in ("missing value that no byte can hold", "unsigned and packed")
    )


def test_floats_never_written_are_missing(path):
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("row", None)
        file.createVariable("x", "f4", ("row",))[:4] = 1
        file.createVariable("label", "i4", ("row",))[:] = LABEL[:9]
    with pytest.raises(DataError, match=r"row 4 \(from 0\), column 'x': the value is NaN"):
        read(path)


def test_texts_of_characters_and_strings(path):
    words = ["signal", "b", "", "ö"] * 5
    characters = np.array([w.encode() for w in words], "S8").view("S1").reshape(-1, 8)
    variables = {
        "word": ("S1", ("row", "length"), characters),
        "letter": ("S1", ("row",), np.array([w.encode()[:1] or b" " for w in ["a", "b"] * 10])),
        "string": (str, ("row",), np.array(words, object)),
        "page": (str, ("row", "k"), np.array([words] * 2, object).T),
        "label": ("i1", ("row",), np.arange(20) % 2),
    }
    write(path, variables, {"row": 20, "length": 8, "k": 2})
    table = NetcdfTable(path, Schema())
    assert [v.name for v in table.variables] == ["word", "letter", "string", "label"]
    assert all(v.is_text for v in table.variables[:3])
    assert table.read("word", 1, 20).tolist() == words[1:]
    assert table.read("string", 1, 20).tolist() == words[1:]
    assert table.read("letter", 0, 3).tolist() == ["a", "b", "a"]


@pytest.mark.parametrize("pad", [b"\0", b" "])
def test_texts_written_by_scipy(path, pad):
    texts = [b"Oslo", b"Bern", b"R"]
    with netcdf_file(path, "w") as file:
        file.createDimension("station", None)
        file.createDimension("length", 6)
        names = file.createVariable("name", "c", ("station", "length"))
        for i, text in enumerate(texts):
            names[i] = np.frombuffer(text.ljust(6, pad), "S1")
    assert NetcdfTable(path, Schema()).read("name", 0, 3).tolist() == ["Oslo", "Bern", "R"]


def test_bytes_in_another_code(path):
    raw = np.frombuffer("Zürich".encode("latin-1"), "S1").reshape(1, 6)
    variable = ("S1", ("row", "length"), raw)
    write(path, {"x": variable}, {"row": 1, "length": 6}, format="NETCDF3_CLASSIC")
    assert NetcdfTable(path, Schema()).read("x", 0, 1).tolist() == ["Z\\xfcrich"]
    with netCDF4.Dataset(path, "a") as file:
        file["x"].setncattr("_Encoding", "latin-1")
    assert NetcdfTable(path, Schema()).read("x", 0, 1).tolist() == ["Zürich"]


@pytest.mark.parametrize("format", ["NETCDF3_64BIT_DATA", "NETCDF4"])
def test_images(path, format):
    images = np.random.default_rng(1).integers(0, 255, (20, 4, 5, 3)).astype(np.uint8)
    variables = {"image": ("u1", ("n", "y", "x", "c"), images), "label": ("i8", ("n",), LABEL[:20])}
    write(path, variables, {"n": None, "y": 4, "x": 5, "c": 3}, format=format)
    reader = reader_of(path)
    assert reader.sample_shape == (4, 5, 3)
    np.testing.assert_array_equal(reader.read(5, 19).features, images[5:19])


FIELDS = np.arange(60 * 4 * 5, dtype=np.float64).reshape(60, 4, 5)
COMPRESSED = {"chunksizes": (7, 2, 5), "zlib": True}


def write_fields(path, format, settings, u10=-FIELDS):
    grid = ("time", "lat", "lon")
    variables = {
        "t2m": ("f8", grid, FIELDS, settings),
        "u10": ("f4", grid, u10, settings),
        "packed": ("i2", grid, FIELDS, settings | {"attributes": {"scale_factor": 0.5}}),
        "coarse": ("f4", ("time", "lat", "k"), FIELDS[:, :, :2]),
        "label": ("i4", ("time",), np.arange(60) % 2),
    }
    return write(path, variables, {"time": None, "lat": 4, "lon": 5, "k": 2}, format=format)


@pytest.mark.parametrize(
    ("format", "settings"), [("NETCDF3_64BIT_DATA", {}), ("NETCDF4", {}), ("NETCDF4", COMPRESSED)]
)
def test_fields_of_one_shape_are_channels(path, format, settings):
    reader = reader_of(write_fields(path, format, settings), features=["u10", "packed", "t2m"])
    wanted = np.stack([-FIELDS, FIELDS / 2, FIELDS], axis=1)
    assert (reader.sample_shape, reader.columns) == ((3, 4, 5), ["u10", "packed", "t2m"])
    np.testing.assert_array_equal(reader.read(5, 49).features, wanted[5:49])
    ranges = [(50, 60), (3, 4), (10, 25)]
    rows = np.concatenate([np.arange(*span) for span in ranges])
    features, label = np.empty((26, 3, 4, 5), np.float32), np.empty(26)
    reader.read_again(ranges, features, label, None)
    np.testing.assert_array_equal(features, wanted[rows])
    np.testing.assert_array_equal(label, rows % 2)


def test_fields_that_are_no_channels_together(path):
    gap = FIELDS.copy()
    gap[7, 2, 3] = np.inf
    write_fields(path, "NETCDF4", {}, u10=gap)
    with pytest.raises(DataError, match=r"these are 't2m' \(4, 5\) a row, 'coarse' \(4, 2\) a row"):
        reader_of(path, features=["t2m", "coarse"])
    with pytest.raises(DataError, match=r"row 7 \(from 0\), value 13 of 'u10': inf is not"):
        read(path, features=["t2m", "u10"])


def test_fields_that_nobody_has_chosen_are_all_offered(path):
    fields = dict.fromkeys(("t2m", "u10"), ("f4", ("row", "y", "x"), FIELDS[:50]))
    write(path, fields | {"label": ("i4", ("row",), LABEL)}, {"row": 50, "y": 4, "x": 5})
    with pytest.raises(
        DataError, match=r"or features=\['t2m', 'u10'\] for all of them as channels"
    ):
        read(path)


@pytest.mark.parametrize("format", ["NETCDF3_CLASSIC", "NETCDF4"])
def test_rows_along_another_axis(path, format):
    field = np.arange(4 * 50 * 2, dtype=np.float32).reshape(4, 50, 2)
    variables = {
        "field": ("f4", ("level", "row", "k"), field),
        "turned": ("f8", ("level", "row"), field[:, :, 0]),
        "label": ("i4", ("row",), LABEL),
    }
    write(path, variables, {"level": 4, "row": 50, "k": 2}, format=format)
    table = NetcdfTable(path, Schema())
    np.testing.assert_array_equal(table.read("field", 3, 9), field[:, 3:9].transpose(1, 0, 2))
    rows = read(path, features="turned")
    assert rows.columns == ["turned_0", "turned_1", "turned_2", "turned_3"]
    np.testing.assert_array_equal(rows.features, field[:, :, 0].T)


def test_groups_share_the_rows_of_the_root(path):
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("event", 50)
        file.createVariable("label", "i4", ("event",))[:] = LABEL
        jets = file.createGroup("jets")
        jets.createDimension("component", 3)
        jets.createVariable("p", "f8", ("event", "component"))[:] = VALUES
        jets.createVariable("component", str, ("component",))[:] = np.array(["x", "y", "z"], object)
        file.createGroup("run").createDimension("event", 50)
        file["run"].createVariable("other", "f4", ("event",))[:] = 1
    rows = read(path)
    assert rows.columns == ["x", "y", "z"]
    np.testing.assert_array_equal(rows.features, VALUES.astype(np.float32))
    assert [v.name for v in NetcdfTable(path, Schema(dimension="run/event")).variables] == [
        "run/other"
    ]


ROW_RULES = {
    "named": ({"a": 4, "b": None}, {"x": ("a",), "y": ("b",)}, {"dimension": "a"}, 4),
    "of the label": ({"a": 4, "b": None}, {"label": ("a",), "y": ("b",)}, {}, 4),
    "of the named label": ({"a": 4, "b": 5}, {"x": ("a",), "y": ("b",)}, {"label": "y"}, 5),
    "unlimited": ({"a": 4, "b": None}, {"x": ("a",), "z": ("a",), "y": ("a", "b")}, {}, 5),
    "of most variables": ({"a": 4, "b": 5}, {"x": ("a",), "z": ("a", "b"), "y": ("b",)}, {}, 4),
    "not of coordinates": ({"a": 4, "b": 5}, {"a": ("a",), "y": ("b",)}, {}, 5),
}


@pytest.mark.parametrize("rule", ROW_RULES)
def test_rules_that_choose_the_rows(path, rule):
    lengths, dimensions, schema, expected = ROW_RULES[rule]
    sizes = {name: length or 5 for name, length in lengths.items()}
    variables = {
        name: ("f4", axes, np.zeros([sizes[a] for a in axes])) for name, axes in dimensions.items()
    }
    write(path, variables, lengths)
    assert len(NetcdfTable(path, Schema(**schema))) == expected


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({}, r"its rows may run along 'a' \(4\), 'b' \(5\); say which with dimension="),
        ({"dimension": "c"}, r"no variable along dimension='c'; its variables have 'a' \(4\)"),
        ({"dimension": "a", "columns": ["x", "y"]}, "5 columns need as many different names"),
    ],
)
def test_rows_that_no_rule_chooses(path, schema, message):
    variables = {"x": ("f4", ("a", "b"), np.zeros((4, 5))), "y": ("f4", ("b",), 0)}
    write(path, variables, {"a": 4, "b": 5})
    with pytest.raises(DataError, match=message):
        NetcdfTable(path, Schema(**schema))


def test_what_no_rows_can_be_made_of_is_left_out(path):
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("row", 6)
        pair = file.createCompoundType(np.dtype([("a", "f4"), ("b", "i4")]), "pair")
        ragged = file.createVLType(np.int32, "ragged")
        file.createVariable("both", pair, ("row",))
        file.createVariable("lists", ragged, ("row",))
        file.createVariable("scalar", "f4", ())[...] = 1
        file.createVariable("x", "f4", ("row",))[:] = np.arange(6)
    assert [v.name for v in NetcdfTable(path, Schema()).variables] == ["x"]


@pytest.mark.parametrize("format", NETCDF4_FORMATS)
@pytest.mark.parametrize("length", [None, 50])
def test_a_file_that_was_cut_off(path, format, length, capfd):
    variables = {"x": ("f8", ("row", "k"), VALUES), "label": ("i2", ("row",), LABEL)}
    write(path, variables, {"row": length, "k": 3}, format=format)
    content = path.read_bytes()
    for cut in (3, 100, len(content) // 2, len(content) - 30, len(content) - 3):
        path.write_bytes(content[:-cut])
        with pytest.raises(DataError, match=r"data\.nc"):
            read(path)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a NetCDF file"),
        (b"label,x\n1,2\n", "not a NetCDF file: it starts with the bytes b'label,x"),
        (b"CDF\x01" + b"\0" * 28, "no variable of numbers"),
        (b"CDF\x02" + b"\0" * 7, "broken NetCDF header"),
        (b"CDF\x01\0\0\0\0\0\0\0\x0a\x7f\xff\xff\xff" + b"\0" * 40, "claims 2147483647 elements"),
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 100, "not a complete NetCDF file"),
    ],
)
def test_a_file_that_is_no_netcdf(path, content, message):
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        NetcdfTable(path, Schema())


def test_more_rows_than_a_file_can_hold_are_refused(path):
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("row", 2**40)
        file.createVariable("x", "f4", ("row",), chunksizes=(1024,), zlib=True)[:10] = 1
    with pytest.raises(DataError, match=r"variable 'x' claims 4398046511104 bytes, more than"):
        NetcdfTable(path, Schema())


def test_implausible_sizes_are_refused(path):
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("row", None)
        file.createDimension("huge", 2**40)
        file.createVariable("x", "f4", ("row", "huge"), chunksizes=(1, 1024), zlib=True)
    with pytest.raises(DataError, match=r"variable 'x': one row of it takes \d+ bytes"):
        NetcdfTable(path, Schema())


@given(
    raw=st.lists(st.integers(-(2**15), 2**15 - 1), min_size=1, max_size=20),
    scale=st.floats(1e-3, 1e3),
    offset=st.floats(-1e3, 1e3),
)
def test_packed_numbers_are_the_line_that_the_file_declares(raw, scale, offset):
    attributes = {"scale_factor": scale, "add_offset": offset, "_FillValue": np.int16(7)}
    decoding = Decoding.declared(np.dtype(">i2"), attributes)
    values = decoding.values(np.array(raw, ">i2"))
    expected = [math.nan if number == 7 else number * scale + offset for number in raw]
    np.testing.assert_allclose(values, expected, rtol=1e-12, atol=1e-12)
