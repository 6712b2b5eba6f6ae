"""Files read on several ranks: the same rows everywhere, or the same sentence everywhere."""

import gzip
import io
import json
import re

import h5py
import netCDF4
import numpy as np
import pandas as pd
import pytest

from matexapps.data.dataset import DataSet

GOOD = "label,pt,eta\n" + "".join(f"{i % 2},{i}.5,-{i}\n" for i in range(40))


def truncated_hdf5(path):
    with h5py.File(path, "w") as file:
        file["features"], file["label"] = np.ones((50, 3)), np.arange(50) % 2
    path.write_bytes(path.read_bytes()[:-100])


def truncated_parquet(path):
    pd.DataFrame({"x": np.arange(50.0), "label": np.arange(50) % 2}).to_parquet(path)
    path.write_bytes(path.read_bytes()[:-100])


BROKEN = {
    "truncated.csv": (GOOD + "1,7", r"truncated\.csv, row 42: column 'eta' is missing"),
    "truncated.csv.gz": (gzip.compress(GOOD.encode())[:-20], r"row \d+: the gzip stream"),
    "columns.csv": (GOOD + "1,7,8,9\n0,1,2\n", "row 42: 4 columns instead of 3"),
    "text.csv": (GOOD + "1,abc,8\n", "row 42, column 'pt': 'abc' is not a number"),
    "nan.csv": (GOOD + "1,7,nan\n", "row 42, column 'eta': the value is 'nan'"),
    "infinite.csv": (GOOD + "1,7,inf\n", "row 42, column 'eta': the value 'inf' is infinite"),
    "empty.csv": ("", "empty.csv is empty"),
    "header.csv": ("label,pt,eta\n", "holds a header but no rows"),
    "binary.csv": (bytes(range(256)) * 9, "row 1: this is binary data"),
    "label.csv": (GOOD + "2,7,8\n", "row 42: the label is 2, neither 0 nor 1"),
    "one_class.csv": ("label,x\n" + "1,2\n" * 30, "all 30 labels are 1, only one class"),
    "twice.csv": ("label,x,x\n1,2,3\n", "are both called 'x'"),
    "truncated.h5": (truncated_hdf5, "is not a complete HDF5 file"),
    "truncated.parquet": (truncated_parquet, "is not a complete Parquet file"),
    "missing.csv": (None, "missing.csv does not exist"),
}

MESSAGES = """
import json, sys
from matexapps.comm.world import open_world
from matexapps.data.dataset import DataSet
from matexapps.errors import DataError

with open_world(timeout_s=60) as comm:
    for path in sys.argv[1:]:
        message = None
        try:
            DataSet(path, binary=True).load(comm)
        except DataError as error:
            message = str(error)
        told = comm.all_gather_object(message)
        if comm.rank == 0:
            print(json.dumps(told))
"""

LOAD = """
import sys
from matexapps.comm.world import open_world
from matexapps.data.dataset import DataSet

with open_world(timeout_s=60) as comm:
    DataSet(sys.argv[1], binary=True).load(comm)
"""


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_broken_files_give_one_sentence_on_every_rank(run_ranks, tmp_path, ranks):
    paths = {name: tmp_path / name for name in BROKEN}
    for name, (content, _) in BROKEN.items():
        if callable(content):
            content(paths[name])
        elif content is not None:
            data = content if isinstance(content, bytes) else content.encode()
            paths[name].write_bytes(data)
    done = run_ranks(ranks, MESSAGES, *paths.values())
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    for (name, path), messages in zip(paths.items(), answers, strict=True):
        assert messages == [messages[0]] * ranks
        assert str(path) in messages[0]
        assert re.search(BROKEN[name][1], messages[0])
        assert "\n" not in messages[0]


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_an_error_that_nobody_catches_ends_the_job(run_ranks, tmp_path, ranks):
    path = tmp_path / "text.csv"
    path.write_text(BROKEN["text.csv"][0])
    done = run_ranks(ranks, LOAD, path)
    assert done.returncode != 0
    assert "row 42, column 'pt': 'abc' is not a number" in done.stderr


def test_fewer_rows_than_ranks(run_ranks, tmp_path):
    path = tmp_path / "few.csv"
    path.write_text("label,x\n1,2\n0,3\n")
    done = run_ranks(3, MESSAGES, path)
    assert done.returncode == 0, done.stderr
    messages = json.loads(done.stdout.splitlines()[0])
    assert messages == 3 * [
        f"{path}: fewer rows (2) than ranks (3); start fewer ranks or use more rows"
    ]


def csv_gzip(folder):
    path = folder / "events.csv.gz"
    path.write_bytes(gzip.compress(GOOD.encode()))
    return path


def parquet(folder):
    path = folder / "events.parquet"
    pd.read_csv(io.StringIO(GOOD)).to_parquet(path, row_group_size=7)
    return path


@pytest.mark.parametrize("write", [csv_gzip, parquet])
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_all_ranks_hold_the_rows_of_one(run_ranks, tmp_path, write, ranks):
    path = write(tmp_path)
    script = """
        import json, sys
        from matexapps.comm.world import open_world
        from matexapps.data.dataset import DataSet

        with open_world(timeout_s=60) as comm:
            data = DataSet(sys.argv[1], weight="pt", seed=7, split="stratified").load(comm)
            train = data.train
            data.load(comm)
            parts = [data.train, data.validation, data.test]
            mine = [part.digest() for part in parts] + [data.train is train]
            told = comm.all_gather_object(mine)
            if comm.rank == 0:
                print(json.dumps(told))
    """
    done = run_ranks(ranks, script, path)
    assert done.returncode == 0, done.stderr
    here = DataSet(path, weight="pt", seed=7, split="stratified")
    expected = [here.train.digest(), here.validation.digest(), here.test.digest(), True]
    assert json.loads(done.stdout) == [expected] * ranks


def test_a_rank_that_has_read_already_joins_in(run_ranks, tmp_path):
    path = tmp_path / "events.csv"
    path.write_text(GOOD)
    script = """
        import json, sys
        from matexapps.comm.world import open_world
        from matexapps.data.dataset import DataSet

        with open_world(timeout_s=60) as comm:
            data = DataSet(sys.argv[1])
            if comm.rank == 1:
                data.train
            told = comm.all_gather_object(data.load(comm).train.digest())
            if comm.rank == 0:
                print(json.dumps(told))
    """
    done = run_ranks(3, script, path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [DataSet(path).train.digest()] * 3


@pytest.mark.parametrize("same", [True, False])
def test_arrays_must_be_the_same_on_every_rank(run_ranks, same):
    script = """
        import sys
        import numpy as np
        from matexapps.comm.world import open_world
        from matexapps.data.dataset import DataSet

        with open_world(timeout_s=60) as comm:
            rng = np.random.default_rng(0 if sys.argv[1] == "True" else comm.rank)
            data = DataSet.from_arrays(rng.normal(size=(30, 2)), np.arange(30) % 2)
            data.load(comm)
            print(len(data.train))
    """
    done = run_ranks(2, script, same)
    if same:
        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == ["21", "21"]
    else:
        assert done.returncode != 0
        assert "rank 1 holds other rows than rank 0" in done.stderr


CHANNELS = """
import json, sys
import numpy as np
import torch
from matexapps.comm.world import open_world
from matexapps.data.dataset import DataSet

with open_world(timeout_s=60) as comm:
    for path in sys.argv[1:]:
        for memory in ("16 KiB", "2GB"):
            data = DataSet(path, features=["t2m", "u10"], validation=0, test=0, memory=memory)
            loader = data.load(comm).train.open_loader(32, comm, torch.device("cpu"), seed=0)
            mine = [(b.ids.copy(), b.features.numpy().copy()) for b in loader.shuffled(0)]
            ids = np.concatenate([i for i, _ in mine])
            features = np.concatenate([f for _, f in mine])
            mean = data.statistics(comm).mean
            parts = comm.all_gather_object((ids, features))
            if comm.rank == 0:
                order = np.argsort(np.concatenate([i for i, _ in parts]))
                whole = np.concatenate([f for _, f in parts])[order]
                kind = type(data.train).__name__
                print(json.dumps([kind, len(parts), whole.tolist(), mean.tolist()]))
"""


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_fields_as_channels_are_the_same_rows_on_all_ranks(run_ranks, tmp_path, ranks):
    fields = np.arange(101 * 3 * 4, dtype=np.float64).reshape(101, 3, 4)
    paths = [tmp_path / "classic.nc", tmp_path / "chunked.nc"]
    for path, format in zip(paths, ["NETCDF3_CLASSIC", "NETCDF4"], strict=True):
        with netCDF4.Dataset(path, "w", format=format) as file:
            for name, length in {"time": None, "lat": 3, "lon": 4}.items():
                file.createDimension(name, length)
            chunks = {"chunksizes": (7, 2, 4), "zlib": True} if format == "NETCDF4" else {}
            for name, values in (("t2m", fields), ("u10", -fields)):
                file.createVariable(name, "f8", ("time", "lat", "lon"), **chunks)[:] = values
            file.createVariable("label", "i4", ("time",))[:] = np.arange(101) % 2
    result = run_ranks(ranks, CHANNELS, *paths)
    assert result.returncode == 0, result.stderr
    wanted = np.stack([fields, -fields], axis=1)
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(kind, n) for kind, n, *_ in answers] == [("StreamedRows", ranks), ("Rows", ranks)] * 2
    for _, _, seen_rows, mean in answers:
        assert seen_rows == wanted.tolist()
        np.testing.assert_allclose(mean, wanted.mean(axis=0), rtol=1e-12)
