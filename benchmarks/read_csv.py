"""How fast CSV is parsed by two ranks, and its columnar copy read, in one run.

    python benchmarks/read_csv.py --json

Makes a CSV file of 1 GB (`--megabytes`): 28 columns of normal numbers and a label, in a temporary
folder that is deleted afterwards. Ways alternate, with the file in the system's cache; figures are
medians.

Parsing, each time in fresh processes:

- ours: 2 ranks of one thread, each parsing its range of bytes to rows of float32; from opening the
  file until the slower rank has its share in memory, without sending it to the other rank.
- pyarrow: `pyarrow.csv.read_csv` with 2 threads, to a table of columns, in one process.

Both wall time and the processor time of all processes are given; the latter says more when other
work runs on the machine.

Reading, in pieces of 16 MiB from first to last row, in one process:

- cached: the columnar copy that 2 ranks made, through the reader.
- raw h5py: the same rows in one contiguous HDF5 file, with h5py alone.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common import output_of_process, output_of_ranks

RANKS = 2
COLUMNS = 28
ROUNDS = 5
PIECE_BYTES = 16 * 2**20
PASSES = 9
WAYS = ("ours", "pyarrow")


def main() -> None:
    """Make the file and measure all ways, or be one of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.add_argument("--megabytes", type=int, default=1000, help="size of the CSV file")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="runs of each way")
    parser.add_argument("--way", choices=(*WAYS, "copy"), help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way is not None:
        globals()[f"run_{options.way}"](options.file)
        return
    with tempfile.TemporaryDirectory(prefix="read_csv-") as folder:
        os.environ["MATEXAPPS_CACHE"] = folder
        path = Path(folder) / "table.csv"
        rows = make(path, options.megabytes * 10**6)
        run("copy", path)
        runs: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
        for _ in range(options.rounds):
            for way in WAYS:
                runs[way].append(run(way, path))
        figures = compare(runs, time_copy(path), rows, path.stat().st_size)
    for name, value in figures.items():
        print(f"{name:24s} {value:,.4g}")
    if options.json:
        print(json.dumps(figures))


def make(path: Path, size: int) -> int:
    """Write a CSV of at least ``size`` bytes, and its rows as HDF5 beside it; return how many."""
    import h5py
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    random = np.random.default_rng(0)
    names = ["label", *(f"x{i}" for i in range(COLUMNS))]
    step, rows = 50_000, 0
    with path.open("wb") as file, h5py.File(path.with_suffix(".h5"), "w") as raw:
        blocks, labels = [], []
        while file.tell() < size:
            block = random.standard_normal((step, COLUMNS), dtype=np.float32)
            label = random.integers(0, 2, step)
            table = pa.table([label, *block.T.copy()], names=names)
            pa_csv.write_csv(table, file, pa_csv.WriteOptions(include_header=not rows))
            blocks.append(block)
            labels.append(label)
            rows += step
        raw["features"], raw["label"] = np.concatenate(blocks), np.concatenate(labels) * 1.0
    return rows


def run(way: str, path: Path) -> tuple[float, float]:
    """Run one way once, in fresh processes.

    Returns
    -------
    tuple of float
        Seconds of the slowest process, and seconds of processor time of all together.
    """
    words = [sys.argv[0], "--way", way, "--file", path]
    if way in ("ours", "copy"):
        answer = output_of_ranks(RANKS, words)
    else:
        answer = output_of_process(words, RANKS)
    times = [json.loads(line) for line in answer.splitlines()]
    return max(wall for wall, _ in times), sum(processor for _, processor in times)


@contextmanager
def timed() -> Iterator[None]:
    """Print how many seconds the block took, and how many of processor time."""
    start = time.perf_counter(), time.process_time()
    yield
    print(json.dumps([time.perf_counter() - start[0], time.process_time() - start[1]]), flush=True)


def run_ours(path: Path) -> None:
    """Read this rank's share."""
    from matexapps.comm.world import open_world
    from matexapps.data.csv.reader import CsvReader
    from matexapps.data.schema.schema import Schema

    with open_world() as comm:
        for _ in range(2):
            # The first call opens connections between ranks.
            comm.barrier()
        with timed():
            rows = CsvReader(path, Schema()).read_share(comm)
        assert rows.features.shape[1] == COLUMNS
        comm.barrier()


def run_pyarrow(path: Path) -> None:
    """Read the whole file with pyarrow."""
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    pa.set_cpu_count(RANKS)
    with timed():
        table = pa_csv.read_csv(path)
    assert table.num_columns == COLUMNS + 1


def run_copy(path: Path) -> None:
    """Make the columnar copy."""
    from matexapps.comm.world import open_world
    from matexapps.data.csv.cache import columnar_copy
    from matexapps.data.schema.schema import Schema
    from matexapps.data.sources.formats import open_reader

    with open_world() as comm:
        reader = open_reader(path, Schema())
        with timed():
            columnar_copy(reader, Schema(), comm)


def time_copy(path: Path) -> dict[str, float]:
    """Return the median seconds of reading the copy, and the same rows with h5py alone."""
    import h5py

    from matexapps.comm.single import SingleProcess
    from matexapps.data.csv.cache import columnar_copy
    from matexapps.data.schema.schema import Schema
    from matexapps.data.sources.formats import open_reader

    reader = columnar_copy(open_reader(path, Schema()), Schema(), SingleProcess())
    step = PIECE_BYTES // (4 * COLUMNS)
    seconds: dict[str, list[float]] = {"cached": [], "raw_h5py": []}
    with h5py.File(path.with_suffix(".h5")) as file:

        def cached(start: int, stop: int) -> None:
            reader.read(start, stop)

        def raw_h5py(start: int, stop: int) -> None:
            file["features"][start:stop]
            file["label"][start:stop]

        for _ in range(PASSES):
            for way in (cached, raw_h5py):
                start = time.perf_counter()
                for first in range(0, len(reader), step):
                    way(first, min(first + step, len(reader)))
                seconds[way.__name__].append(time.perf_counter() - start)
    return {way: statistics.median(values) for way, values in seconds.items()}


def compare(
    runs: dict[str, list[tuple[float, float]]], copy: dict[str, float], rows: int, size: int
) -> dict[str, float]:
    """Return the figures from the times of all ways."""
    wall, processor = (
        {way: statistics.median(times[i] for times in runs[way]) for way in WAYS} for i in (0, 1)
    )
    return {
        "csv_over_pyarrow": wall["pyarrow"] / wall["ours"],
        "csv_over_pyarrow_processor_time": processor["pyarrow"] / processor["ours"],
        "cached_over_raw_h5py": copy["raw_h5py"] / copy["cached"],
        "ours_mb_per_s": size / 1e6 / wall["ours"],
        "pyarrow_mb_per_s": size / 1e6 / wall["pyarrow"],
        "cached_rows_per_s": rows / copy["cached"],
        "raw_h5py_rows_per_s": rows / copy["raw_h5py"],
        "megabytes": size / 1e6,
        "rows": rows,
    }


if __name__ == "__main__":
    main()
