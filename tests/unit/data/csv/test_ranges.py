"""Byte ranges of a CSV file: every row complete in one range, whatever is in quotes."""

import csv
import io
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from matexapps.comm.single import SingleProcess
from matexapps.data.csv.dialect import detect
from matexapps.data.csv.ranges import cut, lines_before
from matexapps.data.schema.schema import Schema
from matexapps.data.sources.formats import open_reader
from matexapps.errors import DataError

TEXTS = st.text(alphabet='ab"\n\r,;1 ', max_size=12)


def ranges_of(path, bytes_each):
    dialect = detect(path, Schema(header=False, delimiter=","))
    return cut(path, dialect, bytes_each, SingleProcess())


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    texts=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=30),
    bytes_each=st.integers(1, 120),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    last_line_ends=st.booleans(),
    mark=st.sampled_from(["", "\ufeff"]),
)
def test_ranges_are_all_rows_once(
    tmp_path, texts, bytes_each, quoting, line_end, last_line_ends, mark
):
    path = tmp_path / "a.csv"
    text = io.StringIO()
    writer = csv.writer(text, quoting=quoting, lineterminator=line_end)
    if quoting == csv.QUOTE_MINIMAL:
        # Older versions of the csv module do not quote a lone carriage return.
        texts = [(first.replace("\r", ""), second.replace("\r", "")) for first, second in texts]
    rows = [[str(i), *pair] for i, pair in enumerate(texts)]
    writer.writerows(rows)
    content = text.getvalue()
    if not last_line_ends:
        content = content.removesuffix(line_end)
    data = (mark + content).encode()
    path.write_bytes(data)

    ranges = ranges_of(path, bytes_each)

    assert ranges is not None
    assert [part.start for part in ranges[1:]] == [part.stop for part in ranges[:-1]]
    assert (ranges[0].start, ranges[-1].stop) == (len(mark.encode()), len(data))
    parsed = []
    for part in ranges:
        chunk = data[part.start : part.stop].decode()
        parsed += list(csv.reader(io.StringIO(chunk, newline="")))
        line_ends = re.findall(rb"\r\n|\r|\n", data[: part.start])
        assert lines_before(path, part.start) == len(line_ends)
    assert parsed == rows


@pytest.mark.parametrize("row", ['1,2,5" pipe\n', '1,2, "a"\n', '1,2,"a"b\n', '1,2,"a\n'])
def test_no_range_is_cut_where_quotes_stand_inside_cells(tmp_path, row):
    path = tmp_path / "a.csv"
    path.write_text("0,1,x\n" * 50 + row + "0,1,x\n" * 50)
    assert ranges_of(path, 40) is None


def test_quotes_inside_cells_are_read_all_the_same(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("label,x,note\n" + "".join(f'{i % 2},{i},5" pipe\n' for i in range(100)))
    rows = open_reader(path, Schema(features=["x"])).read()
    np.testing.assert_array_equal(rows.features[:, 0], np.arange(100))


def test_a_long_file_is_read_in_order_and_a_fault_in_its_last_range_names_its_line(tmp_path):
    """More than 10 MB, so that several threads parse several ranges."""
    path = tmp_path / "a.csv"
    filler = 'said ""no""\n' * 20
    lines = [f'{i % 2},{i},"{filler}"\n' for i in range(45_000)]
    path.write_text("label,x,note\n" + "".join(lines))
    reader = open_reader(path, Schema(features=["x"]))
    rows = reader.read()
    np.testing.assert_array_equal(rows.features[:, 0], np.arange(45_000))
    np.testing.assert_array_equal(rows.ids, np.arange(45_000))
    assert reader.locate(44_990) == f"row {44_990 * 21 + 2}"

    lines[44_990] = lines[44_990].replace("44990", "many")
    path.write_text("label,x,note\n" + "".join(lines))
    with pytest.raises(DataError, match=f"row {44_990 * 21 + 2}, column 'x': 'many' is not a num"):
        open_reader(path, Schema(features=["x"])).read()


@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
def test_rows_are_estimated_before_they_are_read(tmp_path, ending):
    import gzip

    path = tmp_path / f"a{ending}"
    random = np.random.default_rng(0)
    text = "label,x,note\n" + "".join(
        f'{i % 2},{x},"two\nlines"\n' for i, x in enumerate(random.normal(size=60_000))
    )
    path.write_bytes(gzip.compress(text.encode()) if ending.endswith("gz") else text.encode())
    reader = open_reader(path, Schema(features=["x"]))
    assert reader.estimated_rows() == pytest.approx(60_000, rel=0.02)
    reader.read()
    assert reader.estimated_rows() == 60_000
