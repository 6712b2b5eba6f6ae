"""The columnar copy of a CSV file: the same rows at any position, never stale or broken ones."""

import gzip
import json
import math
import os
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from matexapps.comm.single import SingleProcess
from matexapps.data.csv.cache import columnar_copy, has_copy
from matexapps.data.schema.schema import Schema
from matexapps.data.sources.formats import open_reader
from matexapps.errors import DataError

COMM = SingleProcess()
ROWS = 20_000


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MATEXAPPS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "columns"


def table(seed=0, rows=ROWS):
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "label": random.integers(0, 2, rows),
            "label2": random.normal(size=rows).astype(np.float32),
            "note": "two\nlines",
            "x": random.normal(size=rows).astype(np.float32),
            "w": random.random(rows),
            "run": random.choice(["a", "b"], rows),
            "time": np.arange(rows),
        }
    )


def write(path, seed=0, rows=ROWS):
    table(seed, rows).to_csv(path, index=False)
    return path


def copy_of(path, schema):
    return columnar_copy(open_reader(path, schema), schema, COMM)


def assert_same(rows, expected):
    np.testing.assert_array_equal(rows.features, expected.features)
    np.testing.assert_array_equal(rows.label, expected.label)
    np.testing.assert_array_equal(rows.ids, expected.ids)
    assert rows.columns == expected.columns
    for name in ("weight", "key"):
        actual, wanted = getattr(rows, name), getattr(expected, name)
        assert (actual is None) == (wanted is None)
        if actual is not None:
            np.testing.assert_array_equal(actual, wanted)
            assert actual.dtype == wanted.dtype


@pytest.mark.parametrize(
    "settings",
    [
        {"features": ["x"]},
        {"features": ["label2", "x"], "weight": "w", "key": "run"},
        {"features": ["x", "run"], "key": "time", "categories": {"run": ["a", "b"]}},
        {"features": ["x"], "key": "w"},
    ],
)
@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
def test_a_copy_gives_the_rows_of_the_file(tmp_path, settings, ending):
    path = tmp_path / f"a{ending}"
    text = table().to_csv(index=False).encode()
    path.write_bytes(gzip.compress(text) if ending.endswith("gz") else text)
    schema = Schema(label="label", **settings)
    reader = open_reader(path, schema)
    assert not has_copy(reader, schema)
    made = columnar_copy(reader, schema, COMM)
    assert has_copy(reader, schema)
    assert made.by_row
    assert len(made) == ROWS
    assert made.columns == reader.columns
    assert made.row_bytes == reader.row_bytes
    all_rows = reader.read()
    assert_same(made.read(), all_rows)
    assert_same(made.read(1234, 9876), reader.read(1234, 9876))
    ranges = [(9000, 9100), (0, 10)]
    picked = all_rows.take(np.r_[9000:9100, 0:10])
    again = replace(
        picked, features=np.empty_like(picked.features), label=np.empty_like(picked.label)
    )
    if picked.weight is not None:
        again = replace(again, weight=np.empty_like(picked.weight))
    made.read_again(ranges, again.features, again.label, again.weight)
    assert_same(again, picked)
    assert made.locate(5000) == reader.locate(5000) == "row 10002"


def test_declared_missing_values_are_in_the_copy(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("label,x,y\n0,-999,1\n1,,2\n")
    schema = Schema(missing=(-999.0, math.nan))
    rows = copy_of(path, schema).read()
    np.testing.assert_array_equal(rows.features, [[np.nan, 1], [np.nan, 2]])


def test_a_copy_is_made_once_and_for_its_settings(tmp_path, cache):
    path = write(tmp_path / "a.csv")
    copy_of(path, Schema(features=["x"]))
    (folder,) = cache.iterdir()
    before = (folder / "part-00000.h5").stat().st_mtime_ns
    copy_of(path, Schema(features=["x"]))
    assert (folder / "part-00000.h5").stat().st_mtime_ns == before
    assert copy_of(path, Schema(features=["label2"])).columns == ["label2"]
    assert len(list(cache.iterdir())) == 2


def test_a_copy_of_a_file_that_was_changed_does_not_serve(tmp_path, cache):
    path = write(tmp_path / "a.csv")
    schema = Schema(features=["x"])
    copy_of(path, schema)
    write(path, seed=1)
    assert not has_copy(open_reader(path, schema), schema)
    assert_same(copy_of(path, schema).read(), open_reader(path, schema).read())
    assert len(list(cache.iterdir())) == 1


def test_same_size_and_time_but_other_bytes(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("label,x\n0,1\n1,2\n")
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    schema = Schema()
    copy_of(path, schema)
    path.write_text("label,x\n0,1\n1,3\n")
    os.utime(path, ns=times)
    np.testing.assert_array_equal(copy_of(path, schema).read().features, [[1], [3]])


def cut_short(folder):
    shard = folder / "part-00000.h5"
    shard.write_bytes(shard.read_bytes()[:-100])


def damage(folder):
    shard = folder / "part-00000.h5"
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)


def lose_shard(folder):
    (folder / "part-00000.h5").unlink()


def lose_manifest(folder):
    (folder / "manifest.json").unlink()


def cut_manifest(folder):
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text()[:-30])


def empty_manifest(folder):
    (folder / "manifest.json").write_text("[]")


def older_format(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "format": 0}))


@pytest.mark.parametrize(
    "harm",
    [
        cut_short,
        damage,
        lose_shard,
        lose_manifest,
        cut_manifest,
        empty_manifest,
        older_format,
        shutil.rmtree,
    ],
)
def test_a_broken_copy_is_made_anew(tmp_path, cache, harm):
    path = write(tmp_path / "a.csv")
    schema = Schema(features=["x"])
    copy_of(path, schema).close()
    (folder,) = cache.iterdir()
    harm(folder)
    reader = open_reader(path, schema)
    assert not has_copy(reader, schema)
    assert_same(copy_of(path, schema).read(), reader.read())
    assert has_copy(reader, schema)
    assert list(cache.iterdir()) == [folder]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("label,x\n" + "0,1\n" * 500 + "1,oops\n", "row 502, column 'x': 'oops' is not a number"),
        ("label,x\n", "holds a header but no rows"),
    ],
)
def test_a_fault_leaves_no_copy(tmp_path, cache, text, expected):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=expected):
        copy_of(path, Schema())
    assert list(cache.iterdir()) == []


def test_a_cache_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("MATEXAPPS_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"no copy can be written in .*: set MATEXAPPS_CACHE"):
        copy_of(write(tmp_path / "a.csv", rows=10), Schema(features=["x"]))


def test_others_cannot_read_a_copy(tmp_path, cache):
    copy_of(write(tmp_path / "a.csv", rows=10), Schema(features=["x"]))
    (folder,) = cache.iterdir()
    for path, mode in ((cache, 0o700), (folder, 0o700), *((f, 0o600) for f in folder.iterdir())):
        assert path.stat().st_mode & 0o777 == mode


def test_copies_used_longest_ago_make_room(tmp_path, cache):
    schema = Schema(features=["x"])
    folders = []
    for name in ("a.csv", "b.csv", "c.csv"):
        copy_of(write(tmp_path / name, rows=10), schema)
        folders += [copy for copy in cache.iterdir() if copy not in folders]
    for age, folder in enumerate(folders):
        # Sparse files of 9 GB stand in for large copies; the first was used last.
        os.truncate(folder / "part-00000.h5", 9 * 10**9)
        os.utime(folder, (1e9 - age, 1e9 - age))
    abandoned = cache / ".old.0.partial"
    abandoned.mkdir()
    os.utime(abandoned, (1e9, 1e9))
    copy_of(write(tmp_path / "d.csv", rows=10), schema)
    left = list(cache.iterdir())
    assert folders[0] in left
    assert folders[1] in left
    assert folders[2] not in left
    assert abandoned not in left
    assert len(left) == 3


def test_a_folder_of_csv_files_has_a_copy_of_each(tmp_path, cache):
    folder = tmp_path / "runs"
    folder.mkdir()
    for number in (1, 2, 10):
        write(folder / f"part-{number}.csv", seed=number, rows=100 * number)
    schema = Schema(features=["x"], key="run")
    reader = open_reader(folder, schema)
    made = columnar_copy(reader, schema, COMM)
    assert has_copy(reader, schema)
    assert len(list(cache.iterdir())) == 3
    assert_same(made.read(), reader.read())
    assert_same(made.read(50, 350), reader.read(50, 350))
    assert made.locate(300) == reader.locate(300) == f"{folder / 'part-10.csv'}, row 2"
