"""What a program prints and writes is rank 0's; what it reads is what it would read alone.

Each program here is a plain function that returns what it has read. It runs alone, and on ranks of
which one has gone through the whole program before the others begin, and the other way round.
"""

from __future__ import annotations

import csv
import glob
import gzip
import importlib
import json
import logging
import os
import pickle
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from matexapps.transparent.after_import import after_import
from matexapps.transparent.rank_zero_io.notes import Notes
from matexapps.transparent.rank_zero_io.overlay.overlay import Overlay
from matexapps.transparent.rank_zero_io.zone import Zone

Program = Callable[[], Any]

PROGRAMS: dict[str, Program] = {}
PREPARED: dict[str, Program] = {}

RUN = """
import importlib.util, json, os, sys, traceback
from pathlib import Path

from matexapps import distributed, open_world

spec = importlib.util.spec_from_file_location("programs", sys.argv[1])
programs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(programs)


def result_of(program):
    try:
        return json.loads(json.dumps(program()))
    except Exception:
        return traceback.format_exc()


def run(comm, name, late):
    folder = root / name
    if comm.rank == 0:
        folder.mkdir()
        os.chdir(folder)
        programs.PREPARED.get(name, lambda: None)()
    comm.barrier()
    os.chdir(folder)
    with distributed(comm):
        if (comm.rank == 0) == (late == "first"):
            before = programs.everything()
            comm.barrier()
            touched = comm.rank == 0 and programs.everything() != before
            result = result_of(programs.PROGRAMS[name])
            result = "other ranks wrote for real" if touched else result
        else:
            result = result_of(programs.PROGRAMS[name])
            comm.barrier()
    assert os.path.samefile(os.getcwd(), folder)
    return comm.all_gather_object(result)


root = Path.cwd()
results = {}
with open_world() as comm:
    for name in programs.PROGRAMS:
        results[name] = run(comm, name, sys.argv[2])
    os.chdir(root)
    if comm.rank == 0:
        Path("results.json").write_text(json.dumps(results))
"""


def program(function: Program) -> Program:
    """Add a program to those that are run."""
    PROGRAMS[function.__name__] = function
    return function


def prepared(function: Program) -> Program:
    """Add what is there before the program that this is named after, with ``before_``."""
    PREPARED[function.__name__.removeprefix("before_")] = function
    return function


def tree(folder: str = ".") -> list[str]:
    return sorted(str(path) for path in Path(folder).rglob("*"))


def everything() -> list[Any]:
    """What is in the working folder, bytes and times."""
    return [
        (str(path), path.lstat().st_mtime_ns, path.is_file() and path.read_bytes())
        for path in sorted(Path().rglob("*"))
    ]


def error_of(function: Program) -> list[str]:
    try:
        function()
    except OSError as error:
        return [type(error).__name__, str(error.filename), str(error.filename2)]
    return []


@program
def checkpoint_rotation():
    os.makedirs("checkpoints")
    seen = []
    for epoch in range(5):
        with open(f"checkpoints/epoch{epoch}.tmp", "w") as file:
            file.write(str(epoch))
        os.replace(f"checkpoints/epoch{epoch}.tmp", f"checkpoints/epoch{epoch}.txt")
        saved = sorted(glob.glob("checkpoints/*.txt"))
        if len(saved) > 2:
            os.remove(saved[0])
        seen.append(sorted(os.listdir("checkpoints")))
    return seen


@program
def makedirs_without_exist_ok():
    assert not os.path.exists("run/figures")
    os.makedirs("run/figures")
    os.mkdir("run/tables")
    return [tree(), error_of(lambda: os.makedirs("run/figures")), os.path.isdir("run/tables")]


@prepared
def before_append_to_a_log():
    Path("log.txt").write_text("yesterday\n")


@program
def append_to_a_log():
    for line in ("one", "two"):
        with open("log.txt", "a") as log:
            log.write(line + "\n")
    return Path("log.txt").read_text()


@prepared
def before_json_round_trip():
    Path("state.json").write_text('{"runs": 3}')


@program
def json_round_trip():
    with open("state.json") as file:
        state = json.load(file)
    state["runs"] += 1
    with open("state.json", "w") as file:
        json.dump(state, file)
    with open("state.json") as file:
        return json.load(file)


@prepared
def before_output_folder_removed_at_start():
    os.makedirs("output/old/deep")
    Path("output/old/deep/result.txt").write_text("old")
    Path("output/summary.txt").write_text("old")


@program
def output_folder_removed_at_start():
    seen = [tree()]
    if os.path.exists("output"):
        shutil.rmtree("output")
    seen.append(os.path.exists("output"))
    os.mkdir("output")
    seen.append(os.listdir("output"))
    Path("output/summary.txt").write_text("new")
    return [*seen, tree(), Path("output/summary.txt").read_text()]


@program
def pathlib_from_end_to_end():
    folder = Path("results")
    folder.mkdir()
    note = folder / "note.txt"
    note.write_text("first")
    with note.open("a") as file:
        file.write(" second")
    note.rename(folder / "renamed.txt")
    (folder / "empty").touch()
    (folder / "bytes").write_bytes(b"\x00\x01")
    (folder / "link").symlink_to("renamed.txt")
    (folder / "bytes").unlink()
    names = sorted(path.name for path in folder.iterdir())
    link = folder / "link"
    return [
        names,
        link.read_text(),
        link.is_symlink(),
        os.readlink(link),
        link.resolve().name,
        link.stat().st_size,
        note.exists(),
        (folder / "empty").is_file(),
        sorted(path.name for path in Path().glob("**/*.txt")),
    ]


@prepared
def before_rename_a_folder():
    os.makedirs("model/v1")
    Path("model/v1/weights").write_text("1")
    Path("model/card").write_text("card")
    os.mkdir("empty")


@program
def rename_a_folder():
    seen = os.listdir("empty")
    Path("model/v1/weights").write_text("2")
    os.rename("model", "archive")
    Path("archive/v1/more").write_text("3")
    shutil.move("archive/card", "card")
    shutil.copytree("archive", "copy")
    os.rename("copy", "empty")
    return [seen, tree(), Path("archive/v1/weights").read_text(), Path("card").read_text()]


@prepared
def before_a_linked_folder():
    os.makedirs("disk/data")
    Path("disk/data/a").write_text("a")
    Path("disk/old").write_text("old")
    os.symlink("disk/data", "data")
    os.symlink(os.path.abspath("disk"), "absolute")


@program
def a_linked_folder():
    Path("data/b").write_text("b")
    with open("absolute/data/a", "a") as file:
        file.write("!")
    seen = [sorted(os.listdir("disk/data")), Path("disk/data/a").read_text()]
    os.remove("data/a")
    seen.append([os.path.exists("absolute/data/a"), sorted(os.listdir("data"))])
    os.symlink("disk", "latest")
    seen.append(Path("latest/data/b").read_text())
    os.remove("latest")
    os.rename("data/../old", "disk/older")
    Path("data/../beside").write_text("beside")
    seen.append([Path("disk/beside").read_text(), os.path.exists("data/../old"), tree()])
    return [*seen, os.path.lexists("latest"), Path("disk/data/b").read_text()]


@prepared
def before_errors_as_alone():
    os.makedirs("full/inside")
    Path("file").write_text("text")


@program
def errors_as_alone():
    return [
        error_of(lambda: open("missing/file", "w")),
        error_of(lambda: open("missing")),
        error_of(lambda: open("full", "w")),
        error_of(lambda: open("file", "x")),
        error_of(lambda: open("missing", "r+")),
        error_of(lambda: open("file/below", "w")),
        error_of(lambda: os.rmdir("full")),
        error_of(lambda: os.rmdir("file")),
        error_of(lambda: os.remove("full")),
        error_of(lambda: os.remove("missing")),
        error_of(lambda: os.rename("missing", "other")),
        error_of(lambda: os.rename("file", "full")),
        error_of(lambda: os.rename("full", "file")),
        error_of(lambda: os.rename(src="file", dst="missing/file")),
        error_of(lambda: os.listdir("missing")),
        error_of(lambda: os.listdir("file")),
        error_of(lambda: os.mkdir("full")),
        error_of(lambda: os.mkdir(path="missing/below")),
        error_of(lambda: os.chmod("missing", 0o600)),
        error_of(lambda: os.stat("")),
        error_of(lambda: os.link("missing", "linked")),
        error_of(lambda: os.link("full", "linked")),
        tree(),
    ]


@prepared
def before_what_was_removed_stays_removed():
    for name in ("a", "b", "c"):
        Path(name).write_text(name)


@program
def what_was_removed_stays_removed():
    os.remove("a")
    os.replace("b", "c")
    seen = [sorted(os.listdir()), error_of(lambda: os.stat("a")), Path("c").read_text()]
    seen.append([os.access("a", os.F_OK), os.access("c", os.F_OK)])
    Path("a").write_text("again")
    with os.scandir(".") as entries:
        seen.append(
            sorted([entry.name, entry.is_file(), entry.stat().st_size] for entry in entries)
        )
    return seen


@prepared
def before_modes_times_and_sizes():
    Path("script").write_text("text")
    os.chmod("script", 0o640)
    os.mkdir("folder")


@program
def modes_times_and_sizes():
    seen = [oct(os.stat("script").st_mode)]
    os.chmod("script", 0o750)
    os.truncate("script", 2)
    os.utime("script", (1, 2))
    os.chmod("folder", 0o700)
    status = os.stat("script")
    seen += [oct(status.st_mode), status.st_mtime, Path("script").read_text()]
    with open("script", "w") as file:
        file.write("new")
    os.link("script", "other name")
    with open("other name", "a") as file:
        file.write("er")
    seen += [
        oct(os.stat("script").st_mode),
        Path("script").read_text(),
        os.access("script", os.X_OK),
    ]
    return [*seen, oct(os.lstat("folder").st_mode), tree()]


@program
def into_a_folder_and_out():
    start = os.getcwd()
    os.makedirs("run/1")
    os.chdir("run")
    Path("note").write_text("note")
    os.chdir("1")
    Path("deep").write_text("deep")
    seen = [os.path.relpath(os.getcwd(), start), str(Path.cwd().relative_to(start))]
    seen += [
        os.listdir(),
        Path("../note").read_text(),
        os.path.relpath(os.path.abspath("x"), start),
    ]
    with tempfile.TemporaryDirectory() as folder:
        elsewhere = os.path.relpath(folder)
        os.mkdir(f"{elsewhere}/made")
        os.rename(f"{elsewhere}/made", f"{elsewhere}/renamed")
        seen += [os.listdir(elsewhere), os.listdir(folder)]
        os.rmdir(f"{elsewhere}/renamed")
    return [*seen, os.path.exists("/proc/self"), os.chdir(start), tree()]


@program
def bytes_descriptors_and_walks():
    os.makedirs(b"walk/deep")
    descriptor = os.open(b"walk/file", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(descriptor, b"text")
    os.close(descriptor)
    with open(os.open("walk/file", os.O_RDONLY)) as file:
        seen = [file.read(), os.fsdecode(os.listdir(b"walk/")[0]) in ("deep", "file")]
    walked = [
        [folder, sorted(folders), sorted(files)] for folder, folders, files in os.walk("walk")
    ]
    return [*seen, walked, oct(os.stat("walk/file").st_mode), os.path.getsize("walk/file")]


@program
def temporary_files():
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "own").write_text("own")
        shutil.copy(Path(folder, "own"), "copied")
        Path(folder, "moved").write_text("moved")
        os.replace(Path(folder, "moved"), "moved")
        for target in (".", "moved"):
            os.symlink(target, Path(folder, "link"))
            os.replace(Path(folder, "link"), "link")
        seen = [os.listdir(folder), os.path.exists(folder), os.readlink("link")]
    with tempfile.NamedTemporaryFile("w", dir=".", suffix=".tmp") as file:
        seen.append(len(glob.glob("*.tmp")))
        file.write("text")
    return [*seen, os.path.exists(folder), tree(), Path("moved").read_text()]


@program
def archives():
    Path("text").write_text("text")
    with zipfile.ZipFile("a.zip", "w") as archive:
        archive.write("text")
    with tarfile.open("a.tar.gz", "w:gz") as tar:
        tar.add("text")
    os.remove("text")
    with zipfile.ZipFile("a.zip") as archive:
        archive.extractall("zip")
    with tarfile.open("a.tar.gz") as tar:
        tar.extractall("tar")
    with gzip.open("a.gz", "wt") as file:
        file.write("zipped")
    with gzip.open("a.gz", "rt") as file:
        return [file.read(), tree(), Path("zip/text").read_text(), Path("tar/text").read_text()]


@program
def pickle_and_csv():
    with open("a.pickle", "wb") as file:
        pickle.dump({"a": [1, 2]}, file)
    with open("a.csv", "w", newline="") as file:
        csv.writer(file).writerows([["epoch", "loss"], [0, 0.5]])
    with open("a.pickle", "rb") as file, open("a.csv") as table:
        return [pickle.load(file), list(csv.reader(table))]


@program
def logging_to_a_file():
    logger = logging.getLogger("test of files")
    handler = logging.FileHandler("train.log")
    logger.addHandler(handler)
    logger.warning("epoch %d", 1)
    logger.removeHandler(handler)
    handler.close()
    return Path("train.log").read_text()


@program
def numpy_files():
    import numpy as np

    values = np.arange(6.0).reshape(2, 3)
    np.save("a.npy", values)
    np.savez("a.npz", values=values)
    np.savetxt("a.txt", values)
    values.tofile("a.bin")
    mapped = np.memmap("mapped", dtype="f8", mode="w+", shape=(3,))
    mapped[:] = 7
    mapped.flush()
    with np.load("a.npz") as stored:
        seen = [stored["values"].tolist()]
    seen += [np.load("a.npy", mmap_mode="r").tolist(), np.loadtxt("a.txt").tolist()]
    return [*seen, np.fromfile("a.bin").tolist(), np.fromfile("mapped").tolist()]


@prepared
def before_pandas_files():
    import pandas as pd

    Path("table.csv").write_text("run,loss\n1,0.5\n")
    pd.DataFrame({"run": [0], "loss": [1.0]}).to_parquet("parts", partition_cols=["run"])


@program
def pandas_files():
    import pandas as pd

    os.chmod("parts", 0o755)
    before = [pd.read_parquet("parts")["loss"].tolist(), os.listdir("parts")]
    table = pd.read_csv("table.csv")
    table = pd.concat([table, pd.DataFrame({"run": [2], "loss": [0.25]})])
    table.to_csv("table.csv", index=False)
    table.to_parquet("table.parquet")
    table.to_parquet("parts", partition_cols=["run"])
    table.to_pickle("table.pickle")
    table.to_hdf("table.h5", key="table")
    table.to_feather("table.feather")
    seen = [
        pd.read_csv("table.csv"),
        pd.read_parquet("table.parquet"),
        pd.read_parquet("parts").sort_values("loss"),
        pd.read_hdf("table.h5", key="table"),
        pd.read_feather("table.feather"),
    ]
    return [before, [each["loss"].tolist() for each in seen], sorted(os.listdir("parts"))]


@prepared
def before_sqlite_database():
    with sqlite3.connect("runs.db") as database:
        database.execute("create table runs (name)")
        database.execute("insert into runs values ('old')")
    database.close()


@program
def sqlite_database():
    for name in ("a", "b"):
        with sqlite3.connect("runs.db") as database:
            database.execute("insert into runs values (?)", [name])
        database.close()
    database = sqlite3.connect("runs.db")
    rows = database.execute("select name from runs").fetchall()
    database.close()
    memory = sqlite3.connect(":memory:")
    return [rows, memory.execute("select 1").fetchall(), tree()]


@prepared
def before_hdf5_files():
    import h5py

    with h5py.File("old.h5", "w") as file:
        file["x"] = [1, 2]


@program
def hdf5_files():
    import h5py

    with h5py.File("new.h5", "w") as file:
        file["y"] = [3.0]
    with h5py.File("old.h5", "a") as file:
        file["z"] = file["x"][...] * 2
    with h5py.File("old.h5") as old, h5py.File(name="new.h5", mode="r+") as new:
        seen = [old["z"][...].tolist(), new["y"][...].tolist(), isinstance(old, h5py.File)]
    return [*seen, error_of(lambda: h5py.File("new.h5", "x"))[:1], tree()]


@prepared
def before_netcdf_files():
    import netCDF4

    with netCDF4.Dataset("old.nc", "w") as file:
        file.title = "old"


@program
def netcdf_files():
    import netCDF4
    import xarray as xr

    with netCDF4.Dataset("old.nc", "a") as file:
        file.title = file.title + " and new"
        file.createDimension("x", 2)
        file.createVariable("v", "f8", ("x",))[:] = [1, 2]
    xr.Dataset({"t": ("x", [3.0, 4.0])}).to_netcdf("new.nc", engine="netcdf4")
    with netCDF4.Dataset("old.nc") as file, xr.open_dataset("new.nc", engine="netcdf4") as other:
        return [file.title, file["v"][:].tolist(), other["t"].values.tolist()]


@program
def arrow_files():
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.feather
    import pyarrow.parquet as pq

    table = pa.table({"a": [1, 2]})
    pq.write_table(table, "a.parquet")
    with pq.ParquetWriter("b.parquet", table.schema) as writer:
        writer.write_table(table)
    pyarrow.feather.write_feather(table, "a.feather")
    pyarrow.csv.write_csv(table, "a.csv")
    with pa.OSFile("a.arrow", "wb") as sink, pa.ipc.new_file(sink, table.schema) as stream:
        stream.write_table(table)
    with pa.memory_map("a.arrow") as source:
        seen = [pa.ipc.open_file(source).read_all()]
    seen += [pq.read_table("a.parquet"), pq.ParquetFile("b.parquet").read()]
    seen += [pyarrow.feather.read_table("a.feather"), pyarrow.csv.read_csv("a.csv")]
    return [[each["a"].to_pylist() for each in seen], tree()]


@program
def torch_files():
    import safetensors.torch
    import torch

    tensors = {"a": torch.arange(3.0)}
    torch.save(tensors, "a.pt")
    torch.save(tensors, Path("b.pt"))
    with open("c.pt", "wb") as file:
        torch.save(tensors, file)
    safetensors.torch.save_file(tensors, "a.safetensors")
    scripted = torch.jit.trace(torch.nn.Identity(), torch.ones(1))
    scripted.save("a.jit")
    torch.jit.save(scripted, "b.jit")
    seen = [torch.load(name, weights_only=True) for name in ("a.pt", "b.pt", "c.pt")]
    seen += [torch.load("a.pt", weights_only=True, mmap=True)]
    seen += [safetensors.torch.load_file("a.safetensors")]
    seen += [{"a": torch.jit.load(name)(torch.ones(1))} for name in ("a.jit", "b.jit")]
    return [[each["a"].tolist() for each in seen], tree()]


@prepared
def before_best_model_is_loaded_back():
    import torch

    torch.save({"loss": torch.tensor(9.0)}, "best.pt")


@program
def best_model_is_loaded_back():
    import torch

    best = torch.load("best.pt", weights_only=True)["loss"].item()
    for loss in (5.0, 7.0, 3.0, 4.0):
        if loss < best:
            best = loss
            torch.save({"loss": torch.tensor(loss)}, "best.pt")
    return torch.load("best.pt", weights_only=True)["loss"].item()


@program
def figures():
    import matplotlib.pyplot as plt

    plt.plot([1, 2])
    os.makedirs("figures", exist_ok=True)
    plt.savefig("figures/loss.png")
    plt.savefig("figures/loss.pdf")
    plt.close("all")
    return [tree(), plt.imread("figures/loss.png").shape]


@program
def files_of_forked_workers():
    from torch.utils.data import DataLoader

    def read_and_cache(index):
        Path(f"cache{index}").write_text(str(index))
        return int(Path(f"cache{index}").read_text())

    rows = DataLoader(range(4), num_workers=1, collate_fn=lambda batch: read_and_cache(batch[0]))
    return [list(rows), tree(), [Path(f"cache{index}").read_text() for index in range(4)]]


@program
def tensorboard_events():
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return "no tensorboard"
    with SummaryWriter("runs/1") as writer:
        writer.add_scalar("loss", 1.0, 0)
    return [len(os.listdir("runs/1")), tree("runs")[0]]


def contents(folder: Path) -> dict[str, bytes | str | None]:
    """The names in a folder; what is in those whose bytes are the same in each run."""
    found: dict[str, bytes | str | None] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = path.readlink().name
        elif path.suffix in ("", ".txt", ".csv", ".json", ".npy", ".log") and path.is_file():
            found[name] = path.read_bytes()
        else:
            found[name if "-" not in path.stem else f"*{path.suffix}"] = None
    return found


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    """The folder in which all programs ran on n ranks, and what each rank has read.

    ``late`` says whether rank 0 or the others begin when the rest have ended.
    """
    from matexapps.launch.mpiexec import mpi_environment, mpiexec_command

    folders: dict[tuple[int, str], Path] = {}

    def of(n: int, late: str) -> tuple[Path, dict[str, list[Any]]]:
        if (n, late) not in folders:
            folder = tmp_path_factory.mktemp("programs")
            script = folder.parent / f"run{n}{late}.py"
            script.write_text(RUN)
            words = [str(script), __file__, late]
            done = subprocess.run(
                [sys.executable, *words] if n == 1 else mpiexec_command(n, words),
                cwd=folder,
                env={**os.environ, **mpi_environment(), "OMP_NUM_THREADS": "1"},
                capture_output=True,
                text=True,
                timeout=240,
                check=False,
            )
            folders[n, late] = folder
            assert done.returncode == 0, done.stderr
        folder = folders[n, late]
        return folder, json.loads((folder / "results.json").read_text())

    return of


@pytest.mark.parametrize(
    ("n", "late"),
    [
        (2, "others"),
        pytest.param(3, "first", marks=pytest.mark.slow),
        pytest.param(2, "first", marks=pytest.mark.slow),
        pytest.param(3, "others", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("name", PROGRAMS)
def test_program_reads_and_leaves_what_it_does_alone(outcome, name, n, late):
    alone, read = outcome(1, "first")
    (expected,) = read[name]
    if expected == "no tensorboard":
        pytest.skip("tensorboard is not installed")
    assert "Traceback" not in str(expected)
    folder, results = outcome(n, late)
    for rank, seen in enumerate(results[name]):
        assert seen == expected, f"rank {rank}: {seen}"
    assert contents(folder / name) == contents(alone / name)


def test_what_rank_0_overwrites_is_read_to_the_end_elsewhere_first(run_ranks, tmp_path):
    (tmp_path / "data.txt").write_text("old")
    done = run_ranks(
        2,
        """
        import time
        from matexapps import distributed
        with distributed() as comm:
            file = open("data.txt")
            comm.barrier()
            if comm.rank == 1:
                time.sleep(0.1)
            text = file.read()
            file.close()
            with open("data.txt", "w") as file:
                file.write("new")
            with open("data.txt") as file:
                text += file.read()
            texts = comm.all_gather_object(text)
        print(texts)
        """,
    )
    assert done.stdout == "['oldnew', 'oldnew']\n" * 2, done.stderr
    assert (tmp_path / "data.txt").read_text() == "new"


def test_reading_that_rank_0_disturbs_leaves_no_descriptor_open(tmp_path):
    own = Notes(str(tmp_path / "own-notes"), first_counts=False)
    before = Notes(str(tmp_path / "notes"), first_counts=True)
    zone = Zone(str(tmp_path))
    file, copy = tmp_path / "file", tmp_path / "copy"
    file.write_text("old")
    opened = []

    def open_while_rank_0_writes(place):
        opened.append(os.open(place, os.O_RDONLY))
        if len(opened) == 1:
            copy.write_text("old")
            before.add(str(file), str(copy))
            file.write_text("new")
        return opened[-1]

    reading = Overlay(str(tmp_path / "files"), own, before, zone).reading
    descriptor = reading.read(str(file), open_while_rank_0_writes, undo=os.close)
    assert os.read(descriptor, 10) == b"old"
    # The number of the first was free again for the second.
    assert opened == [descriptor, descriptor]
    os.close(descriptor)
    own.close()
    before.close()


def test_threads_take_notes_at_once(tmp_path):
    others = Notes(str(tmp_path / "notes"), first_counts=False)
    notes = Notes(str(tmp_path / "notes"), first_counts=False)
    between = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            for number in range(200):
                others.add(f"/file-{number}", f"/place-{number}")
                for _ in pool.map(lambda _: notes.refresh(), range(4)):
                    pass
    finally:
        sys.setswitchinterval(between)
    assert [notes.find(f"/file-{k}") for k in range(200)] == [f"/place-{k}" for k in range(200)]
    others.close()
    notes.close()


def test_one_rank_prints_shows_and_asks(run_ranks):
    done = run_ranks(
        3,
        """
        import io, logging, os, sys, warnings
        logging.basicConfig(level=logging.INFO)
        from matexapps import distributed
        with distributed() as comm:
            print("printed")
            print("complained", file=sys.stderr)
            warnings.warn("warned")
            logging.info("logged")
            from tqdm import tqdm
            for _ in tqdm(range(2), desc="advanced"):
                pass
            print("runner", comm.rank, file=sys.__stderr__)
            if comm.rank == 0:
                sys.stdin = io.StringIO("42\\n")
            answers = comm.all_gather_object(input("asked"))
            import matplotlib
            if comm.rank:
                matplotlib.use("svg")
            backends = comm.all_gather_object(matplotlib.get_backend().lower())
            os.write(2, f"rank {comm.rank} got {answers} {backends[1:]}\\n".encode())
        logging.info("later")
        """,
    )
    assert done.returncode == 0, done.stderr
    for word in ("printed", "asked"):
        assert done.stdout.count(word) == 1
    for word in ("complained", "UserWarning: warned", "logged", "advanced: 100%"):
        assert done.stderr.count(word) == 1, done.stderr
    for rank in range(3):
        assert f"runner {rank}\n" in done.stderr
        assert f"rank {rank} got ['42', '42', '42'] ['agg', 'agg']\n" in done.stderr
    assert done.stderr.count("later") == 3


def test_everything_is_put_back_also_after_an_exception(run_ranks, tmp_path):
    (tmp_path / "temporary").mkdir()
    done = run_ranks(
        2,
        """
        import builtins, glob, io, os, shutil, sqlite3, sys, tempfile
        from os import listdir, remove
        from shutil import rmtree
        import torch
        from matexapps import distributed, open_world
        tempfile.tempdir = os.path.abspath("temporary")

        def state():
            functions = [vars(os)[name] for name in sorted(vars(os)) if callable(vars(os)[name])]
            mine = [listdir, remove, open, io.open, input, torch.save, torch.load, sqlite3.connect]
            rest = [sys.stdout, sys.stderr, os.getcwd(), dict(os.environ), list(sys.meta_path)]
            sets = [set(os.supports_dir_fd), set(os.supports_fd), shutil._use_fd_functions]
            return functions + mine + rest + sets

        class Wanted(Exception):
            pass

        with open_world() as comm:
            before = state()
            for end in (None, Wanted):
                try:
                    with distributed(comm):
                        kept = [open, listdir]
                        os.makedirs(f"made{end}/below")
                        assert listdir(f"made{end}") == ["below"]
                        os.chdir(f"made{end}")
                        print("once")
                        comm.barrier()
                        os.chdir("..")
                        if end:
                            raise end
                except Wanted:
                    comm.barrier()
                assert state() == before
                comm.barrier()
                assert os.listdir("temporary") == []
            with kept[0](f"rank{comm.rank}", "w"):
                pass
            comm.barrier()
            assert {"rank0", "rank1", "madeNone"} <= set(kept[1]("."))
        """,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "once\n" * 2


def test_function_is_called_after_the_import_of_a_module(tmp_path, monkeypatch):
    (tmp_path / "imported_later.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    called = []
    finders = list(sys.meta_path)
    with (
        after_import("imported_later", lambda module: called.append(("outer", module.value))),
        after_import("imported_later", lambda module: called.append(("inner", module.value))),
        after_import("never_imported_module", called.append),
    ):
        assert not called
        module = importlib.import_module("imported_later")
        assert sorted(called) == [("inner", 1), ("outer", 1)]
        module.value = 2
        with after_import("imported_later", lambda module: called.append(("loaded", module.value))):
            assert called[-1] == ("loaded", 2)
    assert sys.meta_path == finders
    (tmp_path / "imported_later.py").write_text("value = 12345\n")
    count = len(called)
    assert importlib.reload(module).value == 12345
    assert len(called) == count
