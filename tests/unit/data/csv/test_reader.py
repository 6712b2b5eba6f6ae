"""CSV files of many layouts, read and compared with pandas and the csv module."""

import csv
import gzip
import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from matexapps.data.schema.schema import Schema
from matexapps.data.sources.formats import open_reader
from matexapps.errors import DataError

FLOATS = st.floats(-(2.0**100), 2.0**100, width=32, allow_nan=False)
TABLE = pd.DataFrame(
    {"label": [1, 0, 1], "pt": [0.5, 1.5, -2.25], "eta": [1e3, -0.125, 0.0], "w": [0.1, 2.0, 3.0]}
)


def read(path, **settings):
    reader = open_reader(path, Schema(**settings))
    rows = reader.read()
    assert len(rows) == len(reader)
    return rows


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    values=st.tuples(st.integers(1, 30), st.integers(2, 6)).flatmap(
        lambda shape: arrays(np.float32, shape, elements=FLOATS)
    ),
    delimiter=st.sampled_from([",", "\t", ";", "|", " "]),
    header=st.booleans(),
    line_end=st.sampled_from(["\n", "\r\n"]),
    last_line_ends=st.booleans(),
    mark=st.sampled_from(["", "\ufeff"]),
    zipped=st.booleans(),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_layouts_agree_with_csv_module(
    tmp_path, values, delimiter, header, line_end, last_line_ends, mark, zipped, quoting
):
    names = [f"x{i}" for i in range(values.shape[1])]
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=line_end, quoting=quoting)
    if header:
        writer.writerow(names)
    writer.writerows([[repr(float(v)) for v in row] for row in values])
    content = mark + text.getvalue()
    if not last_line_ends:
        content = content.removesuffix(line_end)
    data = content.encode()
    path = tmp_path / ("table.csv.gz" if zipped else "table.csv")
    path.write_bytes(gzip.compress(data) if zipped else data)

    rows = read(path, label=0)

    lines = list(csv.reader(io.StringIO(content.removeprefix("\ufeff")), delimiter=delimiter))
    expected = np.array([[float(c) for c in line] for line in lines[header:]])
    np.testing.assert_array_equal(rows.features, expected[:, 1:].astype(np.float32))
    np.testing.assert_array_equal(rows.label, expected[:, 0])
    assert rows.columns == (
        names[1:] if header else [f"column_{i}" for i in range(1, values.shape[1])]
    )
    assert rows.features.flags.c_contiguous
    np.testing.assert_array_equal(rows.ids, np.arange(len(values)))


def test_columns_by_name_in_any_order(tmp_path):
    path = tmp_path / "a.csv"
    TABLE[["eta", "w", "label", "pt"]].to_csv(path, index=False)
    rows = read(path, features=["pt", "eta"], label="label", weight="w")
    np.testing.assert_array_equal(rows.features, TABLE[["pt", "eta"]].to_numpy(np.float32))
    np.testing.assert_array_equal(rows.label, TABLE["label"])
    np.testing.assert_array_equal(rows.weight, TABLE["w"])
    assert rows.columns == ["pt", "eta"]


def test_columns_by_position_and_default_label(tmp_path):
    path = tmp_path / "a.tsv"
    TABLE.to_csv(path, index=False, sep="\t")
    by_position = read(path, features=[2, 1], label=0, weight=-1)
    np.testing.assert_array_equal(by_position.features, TABLE[["eta", "pt"]].to_numpy(np.float32))
    np.testing.assert_array_equal(by_position.weight, TABLE["w"])
    assert read(path).columns == ["pt", "eta", "w"]


def test_given_names_serve_a_file_without_header_and_only_it(tmp_path):
    bare, headed = tmp_path / "bare.csv", tmp_path / "headed.csv"
    TABLE.to_csv(bare, index=False, header=False)
    TABLE[["w", "eta", "label", "pt"]].to_csv(headed, index=False)
    wanted = {"columns": list(TABLE), "features": ["pt", "w"], "label": "label"}
    np.testing.assert_array_equal(read(bare, **wanted).features, read(headed, **wanted).features)


def test_first_line_of_numbers_is_data_unless_said_otherwise(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("0,2011\n1,0.5\n0,0.25\n")
    assert len(read(path, label=0)) == 3
    named = read(path, label=0, header=True)
    assert len(named) == 2
    assert named.columns == ["2011"]


def test_text_columns_that_are_not_wanted_may_hold_anything(tmp_path):
    path = tmp_path / "a.csv"
    table = TABLE.assign(note=['said "hello", twice', "two\nlines", ""])
    table.to_csv(path, index=False, lineterminator="\r\n")
    rows = read(path, features=["pt"], label="label")
    np.testing.assert_array_equal(rows.features[:, 0], TABLE["pt"].to_numpy(np.float32))


def test_blank_lines_are_no_rows(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("\nlabel,x\n\n1,2\n\n0,3\n\n")
    np.testing.assert_array_equal(read(path).features[:, 0], [2, 3])


@pytest.mark.parametrize(
    ("start", "columns", "first_row"),
    [
        ('# a 5" pipe\n# pt eta label\n', ["pt", "eta"], 3),
        ("## two\n\n#pt eta label\n\n", ["pt", "eta"], 5),
        ("# made by hand\npt eta label\n", ["pt", "eta"], 3),
        ("# made by a program\n", ["column_0", "column_1"], 2),
        ("# made in 2011\n", ["column_0", "column_1"], 2),
    ],
)
def test_comments_at_the_start_are_no_rows_and_may_name_the_columns(
    tmp_path, start, columns, first_row
):
    path = tmp_path / "a.dat"
    values = np.arange(30.0).reshape(10, 3)
    np.savetxt(path, values, fmt="%g")
    path.write_text(start + path.read_text())
    rows = read(path, label=2)
    assert rows.columns == columns
    np.testing.assert_array_equal(rows.features, values[:, :2])
    np.testing.assert_array_equal(rows.label, values[:, 2])
    with path.open("a") as file:
        file.write("1 one 0\n")
    with pytest.raises(DataError, match=f"row {first_row + 10}, column .*'one' is not a number"):
        read(path, label=2)


def test_rows_longer_than_a_parsing_block(tmp_path):
    wide = np.random.default_rng(0).normal(size=(3, 60_000)).astype(np.float32)
    path = tmp_path / "wide.csv"
    path.write_text("\n".join(",".join(map(repr, row.tolist())) for row in wide))
    np.testing.assert_array_equal(read(path, label=0).features, wide[:, 1:])


def test_many_blocks_keep_the_order(tmp_path):
    table = pd.DataFrame({"label": np.arange(150_000) % 2, "x": np.arange(150_000) / 8})
    path = tmp_path / "long.csv.gz"
    table.to_csv(path, index=False)
    rows = read(path)
    np.testing.assert_array_equal(rows.features[:, 0], table["x"].to_numpy(np.float32))
    np.testing.assert_array_equal(rows.label, table["label"])


def test_slices(tmp_path):
    path = tmp_path / "a.csv"
    TABLE.to_csv(path, index=False)
    part = open_reader(path, Schema()).read(1, 3)
    np.testing.assert_array_equal(part.ids, [1, 2])
    np.testing.assert_array_equal(part.label, [0, 1])


def test_classes_number_text_labels(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("Label,x\ns,1\nb,2\ns,3\n")
    np.testing.assert_array_equal(read(path, classes=("b", "s")).label, [1, 0, 1])


def test_declared_missing_values_become_nan_in_features_only(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("label,x,y,w\n1,-999.0,2,-999\n0,,nan,1\n")
    rows = read(path, weight="w", missing=(-999.0, float("nan")))
    np.testing.assert_array_equal(rows.features, [[np.nan, 2], [np.nan, np.nan]])
    np.testing.assert_array_equal(rows.weight, [-999, 1])
    with pytest.raises(DataError, match=r"row 3, column 'x': the cell is empty"):
        read(path, weight="w", missing=-999.0)


def test_locate_counts_lines_of_the_file(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('label,x,note\n1,2,"a\nb"\n\n0,3,c\n')
    reader = open_reader(path, Schema(features=["x"]))
    assert [reader.locate(0), reader.locate(1)] == ["row 2", "row 5"]
