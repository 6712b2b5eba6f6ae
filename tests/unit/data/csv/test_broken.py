"""Broken CSV files: one sentence that names file, row and column."""

import gzip
import random

import pytest

from matexapps.data.dataset import DataSet
from matexapps.data.schema.schema import Schema
from matexapps.data.sources.formats import open_reader
from matexapps.errors import DataError, MatexError

GOOD = "label,pt,eta\n" + "".join(f"{i % 2},{i}.5,-{i}\n" for i in range(40))

BROKEN = {
    "last line cut short": (GOOD + "1,7", "row 42, column 'eta'|row 42: column 'eta' is missing"),
    "too few columns": (GOOD + "1,7\n" + GOOD[13:], "row 42: column 'eta' is missing: 2 of 3"),
    "too many columns": (GOOD + "1,7,8,9\n0,1,2\n", "row 42: 4 columns instead of 3"),
    "text in a number": (GOOD + "1,abc,8\n", "row 42, column 'pt': 'abc' is not a number"),
    "underscore in a number": (GOOD + "1,1_0,8\n", "row 42, column 'pt': '1_0' is not a number"),
    "empty cell": (GOOD + "1,,8\n", "row 42, column 'pt': the cell is empty"),
    "NaN": (GOOD + "1,7,nan\n", "row 42, column 'eta': the value is 'nan'"),
    "NaN label": (GOOD + "nan,7,8\n", "row 42, column 'label': the value is 'nan'"),
    "infinite": (GOOD + "1,inf,8\n", "row 42, column 'pt': the value 'inf' is infinite"),
    "too large for float32": (GOOD + "1,1e39,8\n", "row 42, column 'pt'.*too large"),
    "empty": ("", "is empty"),
    "blank lines only": ("\n\n\n", "is empty"),
    "header only": ("label,pt,eta\n", "header but no rows"),
    "header only, no line end": ("label,pt,eta", "header but no rows"),
    "same name twice": ("label,pt,pt\n1,2,3\n", "row 1: columns 1 and 2 .*'pt'"),
    "one column": ("label\n1\n0\n", "only one column"),
    "quote never closed": (GOOD + '1,"7,8\n1,2,3\n', "row 42: column 'pt'|row 42"),
    "binary": (b"\x7fELF\x02\x01\x01" + bytes(range(256)) * 9, "row 1: this is binary data"),
    "binary without NUL": (bytes(range(128, 256)) * 50, "row 1: this is binary data"),
    "HDF5 by another name": (b"\x89HDF\r\n\x1a\n" + bytes(64), "an HDF5 file"),
    "zip by another name": (b"PK\x03\x04" + bytes(64), "a zip archive"),
    "UTF-16": ("label,x\n1,2\n".encode("utf-16"), "UTF-16"),
    "latin-1 header": ("label,größe\n1,2\n".encode("latin-1"), "row 1: the header is not UTF-8"),
    "several spaces": ("label  x\n1      2\n", "row 1: several spaces stand between the cells"),
    "decimal comma": ("label;x\n1;2,5\n", "row 2, column 'x': '2,5' .*with a point, not a comma"),
    "comments alone": ("# label,x\n# 1,2\n", "is empty: it has no rows"),
    "index column without a name": (",label,x\n0,1,2\n", "column 0 .* has no name"),
}


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("zipped", [False, True])
def test_one_sentence_names_file_row_and_column(tmp_path, case, zipped):
    content, expected = BROKEN[case]
    data = content if isinstance(content, bytes) else content.encode()
    path = tmp_path / ("events.csv.gz" if zipped else "events.csv")
    path.write_bytes(gzip.compress(data) if zipped else data)
    with pytest.raises(DataError, match=expected) as caught:
        DataSet(path).load()
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message


def test_cut_gzip_names_the_row(tmp_path):
    path = tmp_path / "events.csv.gz"
    content = gzip.compress((GOOD + GOOD[13:] * 50).encode())
    for length in (1, 5, 15, 60, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(DataError, match=r"events.csv.gz(, row \d+: the gzip| ends in)"):
            DataSet(path, label=0).load()


def test_damaged_gzip(tmp_path):
    path = tmp_path / "events.csv.gz"
    content = bytearray(gzip.compress(GOOD.encode()))
    content[-6] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="gzip stream breaks off"):
        DataSet(path).load()


def test_plain_text_named_gz(tmp_path):
    path = tmp_path / "events.csv.gz"
    path.write_text(GOOD)
    with pytest.raises(DataError, match="not a gzip file"):
        DataSet(path).load()


def test_first_fault_is_named_where_there_are_several(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text(GOOD + "1,2,x\n1,2\n1,nan,3\n")
    with pytest.raises(DataError, match="row 42, column 'eta'"):
        DataSet(path).load()


def test_fault_in_a_column_that_is_not_wanted_does_not_matter(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("label,x,y\n1,2,abc\n0,3,\n1,4,inf\n")
    assert len(open_reader(path, Schema(features=["x"])).read()) == 3


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("event.csv", "does not exist; did you mean 'events.csv'"),
        ("no/such/events.csv", "nor does the folder"),
        ("folder.csv", "is a folder"),
        ("table.cvs", "no reader.*did you mean '.csv'"),
        ("table", "no reader for names that end like this; let"),
    ],
)
def test_wrong_paths(tmp_path, name, expected):
    (tmp_path / "events.csv").write_text(GOOD)
    (tmp_path / "folder.csv").mkdir()
    for other in ("table.cvs", "table"):
        (tmp_path / other).write_text(GOOD)
    with pytest.raises(DataError, match=expected):
        DataSet(tmp_path / name).load()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"features": ["pt", "etta"]}, "no column 'etta', which features= asks for; did you mean"),
        ({"label": "signal"}, "no column 'signal', which label= asks for"),
        ({"label": 3}, "no column 3, which label= asks for: it has 3 columns"),
        ({"weight": "wt"}, "no column 'wt', which weight= asks for"),
        ({"features": ["label", "pt"]}, "is also among the features"),
        ({"features": []}, "no column is left"),
        ({"header": False}, "no column is called 'label'"),
        ({"delimiter": ";;"}, "is not one character"),
        ({"delimiter": "|"}, "only one column"),
        ({"missing": "nan"}, "missing='nan' is not a number"),
        ({"classes": ("0", "2")}, "label '1' is none of the classes '0', '2'"),
    ],
)
def test_wrong_settings(tmp_path, settings, expected):
    path = tmp_path / "events.csv"
    path.write_text(GOOD)
    with pytest.raises(DataError, match=expected):
        DataSet(path, **settings).load()


def test_names_that_do_not_fit_a_file_without_header(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("1,2,3\n0,1,2\n")
    with pytest.raises(DataError, match="3 columns, but columns= names 2"):
        DataSet(path, columns=["label", "x"]).load()
    with pytest.raises(DataError, match="names 'x' twice"):
        DataSet(path, columns=["label", "x", "x"]).load()


def test_label_that_is_text_says_how_to_name_classes(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("label,x\ns,1\nb,2\n")
    with pytest.raises(DataError, match=r"row 2, column 'label': 's' is not a number; .*classes="):
        DataSet(path).load()


def test_every_mutation_is_read_or_refused(tmp_path):
    """Cut or overwrite a good file anywhere: the result is rows or a MatexError."""
    random.seed(0)
    path = tmp_path / "events.csv"
    data = GOOD[:200].encode()
    refused = []
    for _ in range(300):
        wrong = bytearray(data)
        for _ in range(random.randint(1, 3)):
            wrong[random.randrange(len(wrong))] = random.randrange(256)
        path.write_bytes(wrong[: random.randint(0, len(wrong))])
        try:
            assert len(open_reader(path, Schema(label=0)).read()) > 0
        except MatexError as error:
            refused.append(str(error))
    assert len(refused) > 100
    assert all(str(path) in message for message in refused)


def test_fault_deep_in_a_file_is_found(tmp_path):
    """Far behind the first blocks of the fast reader, whose rows are skipped."""
    path = tmp_path / "events.csv"
    path.write_text(GOOD + GOOD[13:] * 8000 + "1,oops,3\n" + GOOD[13:])
    with pytest.raises(DataError, match="row 320042, column 'pt': 'oops' is not a number"):
        DataSet(path).load()
