"""Files of libraries, many of which open them without Python's ``open``."""

import os
import sqlite3
from pathlib import Path

from io_programs import error_of, prepared, program, tree


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
