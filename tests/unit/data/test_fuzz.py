"""Damaged files of every format give rows or a DataError: no crash, no hang, no memory overflow."""

import resource
import warnings
from collections import Counter
from collections.abc import Callable
from csv import QUOTE_ALL
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pandas as pd
import pytest

from matexapps.data.rows import Rows
from matexapps.data.schema.schema import Schema
from matexapps.data.sources.formats import format_of, open_reader
from matexapps.data.sources.probe import Probe
from matexapps.errors import DataError

ROWS = 40
QUICK_FILES = 25
"""Damaged files of each writer in the ordinary suite."""

SLOW_FILES = {"HDF5": 4200, "NetCDF": 3600, "Parquet": 1200, "CSV": 3000}
"""Damaged files of all writers of a format in the slow suite."""

MEMORY = 512 * 2**20
VALUES = np.random.default_rng(0).normal(size=(ROWS, 4)).astype(np.float32)
LABEL = (np.arange(ROWS) % 2).astype(np.int8)
FRAME = pd.DataFrame({"pt": VALUES[:, 0], "label": LABEL, "n": np.arange(ROWS), "eta": LABEL / 3})
NUMBERS = Schema(missing=float("nan"))
NAMED = Schema(
    features=["x", "packed", "who"],
    categories={"who": ["n0", "n1", "n2"]},
    missing=float("nan"),
)
QUOTED = Schema(features=["pt", "eta"], weight="n", key="note")
SOME = Schema(
    features=["pt", "who"], categories={"who": ["n0", "n1", "n2"]}, key="day", missing=float("nan")
)
COMPOUND = Schema(features=["x", "who"], categories={"who": ["n0", "n1", "n2"]})


def hdf5_matrix(path: Path) -> None:
    with h5py.File(path, "w") as file:
        table = np.column_stack([LABEL, VALUES])
        dataset = file.create_dataset(
            "x/t", data=table, chunks=(16, 5), compression=4, shuffle=True
        )
        dataset.attrs["columns"] = ["label", "a", "b", "c", "d"]


def hdf5_newest(path: Path) -> None:
    with h5py.File(path, "w", libver="latest") as file:
        file.create_dataset("features", data=VALUES, chunks=(8, 4), maxshape=(None, 4))
        file["label"] = LABEL
        for i in range(12):
            file["features"].attrs[f"note {i}"] = "x" * i


def hdf5_checksums(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("features", data=VALUES, chunks=(8, 4), fletcher32=True)
        file.create_dataset("label", data=LABEL, chunks=(7,), compression="lzf")


def hdf5_images(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["images"] = np.arange(ROWS * 12, dtype=">f8").reshape(ROWS, 3, 4)
        file["label"] = LABEL


def hdf5_compound(path: Path) -> None:
    kind = [("id", "S6"), ("label", "i1"), ("who", h5py.string_dtype()), ("x", "f4", (3,))]
    table = np.zeros(ROWS, kind)
    table["label"], table["x"] = LABEL, VALUES[:, :3]
    table["who"] = [f"n{i % 3}" for i in range(ROWS)]
    with h5py.File(path, "w") as file:
        file["events"] = table


def hdf5_texts(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["features"] = VALUES
        file["label"] = [("b", "s")[i] for i in LABEL]


def hdf5_classes(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["good"], file["bad"] = VALUES[:25], VALUES[25:]


def hdf5_matlab(path: Path) -> None:
    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_dataset("X", data=VALUES.T.astype(float), chunks=(4, 10), compression=3)
        file["label"] = LABEL[None].astype(float)
        for dataset in file.values():
            dataset.attrs["MATLAB_class"] = np.bytes_("double")


def pandas_fixed(path: Path) -> None:
    FRAME.to_hdf(path, key="df", format="fixed")


def pandas_table(path: Path) -> None:
    FRAME.assign(who="abc").to_hdf(path, key="df", format="table", index=False)


def netcdf(kind: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with netCDF4.Dataset(path, "w", format=kind) as file:
            file.createDimension("row", None)
            file.createDimension("column", 4)
            file.createVariable("x", "f4", ("row", "column"))[:] = VALUES
            file.createVariable("label", "i2", ("row",))[:] = LABEL

    return write


def netcdf_texts(kind: str) -> Callable[[Path], None]:
    """Column names, fill values, packed numbers, characters or strings."""

    def write(path: Path) -> None:
        with netCDF4.Dataset(path, "w", format=kind) as file:
            for name, length in {"row": None, "column": 4, "length": 2}.items():
                file.createDimension(name, length)
            file.createVariable("x", "f4", ("row", "column"))[:] = VALUES
            names = np.array([*"abcd"], "S2").view("S1").reshape(4, 2)
            file.createVariable("column", "S1", ("column", "length"))[:] = names
            packed = file.createVariable("packed", "i2", ("row",), fill_value=-1)
            packed.scale_factor = 0.5
            packed[:] = np.arange(ROWS)
            who = np.array([f"n{i % 3}" for i in range(ROWS)])
            if kind == "NETCDF4":
                file.createVariable("who", str, ("row",))[:] = who.astype(object)
            else:
                letters = who.astype("S2").view("S1").reshape(ROWS, 2)
                file.createVariable("who", "S1", ("row", "length"))[:] = letters
            file.createVariable("label", "i4", ("row",))[:] = LABEL

    return write


def parquet(path: Path) -> None:
    FRAME.assign(label=LABEL.astype(bool)).to_parquet(path, row_group_size=16, index=False)


def parquet_texts(path: Path) -> None:
    who = [f"n{i % 3}" if i % 5 else None for i in range(ROWS)]
    table = FRAME.assign(who=pd.Categorical(who), day=pd.to_datetime("2024-01-01"), some=who)
    table.to_parquet(path, row_group_size=7, compression="zstd")


def csv(path: Path) -> None:
    FRAME.to_csv(path, index=False)


def csv_gzip(path: Path) -> None:
    FRAME.to_csv(path, index=False, compression="gzip")


def csv_quoted(path: Path) -> None:
    text = FRAME.assign(note='a "b",\n0,1,2\n').to_csv(index=False, quoting=QUOTE_ALL)
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())


WRITERS: dict[str, tuple[Callable[[Path], None], str, Schema]] = {
    "hdf5 matrix": (hdf5_matrix, ".h5", NUMBERS),
    "hdf5 newest": (hdf5_newest, ".h5", NUMBERS),
    "hdf5 checksums": (hdf5_checksums, ".h5", NUMBERS),
    "hdf5 images": (hdf5_images, ".h5", NUMBERS),
    "hdf5 compound": (hdf5_compound, ".h5", COMPOUND),
    "hdf5 texts": (hdf5_texts, ".h5", Schema(classes=("b", "s"))),
    "hdf5 classes": (hdf5_classes, ".h5", Schema(classes=("good", "bad"))),
    "hdf5 matlab": (hdf5_matlab, ".mat.h5", NUMBERS),
    "pandas fixed": (pandas_fixed, ".h5", NUMBERS),
    "pandas table": (pandas_table, ".h5", Schema(features=["pt", "eta", "n"])),
    "netcdf 3": (netcdf("NETCDF3_CLASSIC"), ".nc", NUMBERS),
    "netcdf 5": (netcdf("NETCDF3_64BIT_DATA"), ".nc", NUMBERS),
    "netcdf 4": (netcdf("NETCDF4"), ".nc", NUMBERS),
    "netcdf 2 texts": (netcdf_texts("NETCDF3_64BIT_OFFSET"), ".nc", NAMED),
    "netcdf 4 texts": (netcdf_texts("NETCDF4"), ".nc", NAMED),
    "parquet": (parquet, ".parquet", NUMBERS),
    "parquet texts": (parquet_texts, ".parquet", SOME),
    "csv": (csv, ".csv", NUMBERS),
    "csv quoted": (csv_quoted, ".csv", QUOTED),
    "csv gzip": (csv_gzip, ".csv.gz", NUMBERS),
}  # fmt: skip
"""What writes a small file, the ending of its name, and how it is to be read."""


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Return the bytes of a file with one to three faults of one kind, mostly near its start."""
    result = bytearray(content)
    kind = rng.choice(["bits", "block", "field", "cut", "moved"], p=[0.35, 0.2, 0.3, 0.05, 0.1])
    for _ in range(rng.integers(1, 4)):
        reach = len(result) if rng.random() < 0.5 else min(len(result), 2048)
        at = int(rng.integers(reach))
        size = int(2 ** rng.integers(0, 7))
        if kind == "bits":
            result[at] ^= 1 << int(rng.integers(8))
        elif kind == "block":
            filling = rng.choice([b"\0", b"\xff", rng.bytes(1)]) * size
            result[at : at + size] = filling[: len(result) - at]
        elif kind == "field":
            width = int(rng.choice([1, 2, 4, 8]))
            value = int(rng.choice([0, 1, 7, 2**7 - 1, 2**8 - 1, 2**15, 2**31 - 1, 2**63 - 1]))
            text = (value % 2 ** (8 * width)).to_bytes(width, rng.choice(["little", "big"]))
            at -= at % width
            result[at : at + width] = text[: len(result) - at]
        elif kind == "cut":
            del result[at:]
            break
        else:
            source = int(rng.integers(len(result)))
            result[at : at + size] = result[source : source + size]
    return bytes(result)


def outcome(path: Path, schema: Schema, probe: Probe) -> str:
    """Read a file as the package does: through the probe, then here."""
    try:
        probe.check(path, schema)
        reader = open_reader(path, schema)
        try:
            rows = reader.read()
        finally:
            reader.close()
    except DataError as error:
        message = str(error)
    else:
        assert isinstance(rows, Rows)
        assert rows.features.shape == (len(reader), *reader.sample_shape)
        assert rows.features.dtype == np.float32
        assert rows.label.shape == (len(reader),)
        return "read"
    assert path.name in message
    return "ended the probe" if "is damaged: reading it" in message else "refused"


def fuzz(name: str, count: int, folder: Path, seed: int) -> Counter[str]:
    write, ending, schema = WRITERS[name]
    path = folder / f"file{ending}"
    write(path)
    content = path.read_bytes()
    seen: Counter[str] = Counter()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Probe(seconds=20) as probe, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert outcome(path, schema, probe) == "read"
        for number in range(count):
            # After a failed open the NetCDF library keeps what it read of that file.
            path = folder / f"{number}{ending}"
            path.write_bytes(damaged(content, np.random.default_rng([seed, number])))
            seen[outcome(path, schema, probe)] += 1
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert (after - before) * 1024 < MEMORY
    print(f"{name}: {len(content)} bytes, {dict(seen)}")
    return seen


@pytest.mark.parametrize("name", WRITERS)
def test_damaged_files_are_read_or_refused(name, tmp_path):
    seen = fuzz(name, QUICK_FILES, tmp_path, seed=1)
    assert seen.total() == QUICK_FILES
    assert seen["refused"] > 0


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", WRITERS)
def test_many_damaged_files_are_read_or_refused(name, tmp_path):
    formats = Counter(format_of(Path(f"file{ending}")) for _, ending, _ in WRITERS.values())
    here = format_of(Path(f"file{WRITERS[name][1]}"))
    count = -(-SLOW_FILES[here] // formats[here])
    assert fuzz(name, count, tmp_path, seed=2).total() == count


def test_the_slow_suite_damages_at_least_ten_thousand_files():
    assert sum(SLOW_FILES.values()) >= 10_000
    assert SLOW_FILES["HDF5"] >= 4_000
