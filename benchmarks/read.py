"""How fast rows that do not fit into memory are read in shuffled order, compared with file order.

    python benchmarks/read.py --json

Makes an HDF5 file of 2 GiB: 28 float32 columns in chunks of 8,192 rows, and a label. It is then
read under a bound of a quarter of its size, in the shuffled order of training and in batches of
1,024 rows, by 1 rank and by 2, after a first pass that brings it into the page cache.

- rate_over_raw_h5py: rows/s of one rank over those of a plain h5py loop, dataset[a:b], in order,
  in a separate process on the same core, because its rate depends on what else has used the memory
  of its process.
- rate_over_read_direct: the same over h5py's read_direct into one array that is reused.
- two_raw_speedup: rows/s of two such loops, each over half of the file, over those of one.
- two_rank_speedup: rows/s of 2 ranks over those of one.
- peak_over_bound: the rise of a rank's resident memory from before the file is opened to its
  highest while reading, over the bound.
- trained_rows_per_s: an epoch of logistic regression from the same file.

Epochs of the plain loops and of ours alternate, so that a change of the machine's speed affects all
of them; single ranks and pairs alternate too. Figures are medians, the first two of ratios between
consecutive epochs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common import output_of_ranks

COLUMNS = 28
CHUNK_ROWS = 8192
BATCH = 1024
EPOCHS = 5
ROUNDS = 3


def main() -> None:
    """Make the file, start the ranks, and print the figures; or be one of the ranks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.add_argument("--gib", type=float, default=2.0, help="size of the file in GiB")
    parser.add_argument("--rank-of", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--raw-of", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--part", type=int, nargs=2, default=(0, 1), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.rank_of is not None:
        be_a_rank(options.rank_of)
        return
    if options.raw_of is not None:
        read_raw(options.raw_of, *options.part)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.h5"
        rows = write(path, options.gib)
        alone, pairs = [], []
        for _ in range(ROUNDS):
            alone.append(on_ranks(1, path))
            pairs.append(on_ranks(2, path))
    alone_rate, raw_one = median(alone, "rows_per_s"), median(alone, "raw_rows_per_s")
    figures = {
        "rate_over_raw_h5py": median_ratio(alone, "rows_per_s", "raw_rows_per_s"),
        "rate_over_read_direct": median_ratio(alone, "rows_per_s", "read_direct_rows_per_s"),
        "two_rank_speedup": median(pairs, "rows_per_s") / alone_rate,
        "two_raw_speedup": median(pairs, "raw_rows_per_s") / raw_one,
        "peak_over_bound": max(run["peak_over_bound"] for run in (*alone, *pairs)),
        "rows_per_s": alone_rate,
        "trained_rows_per_s": statistics.median(run["trained_rows_per_s"] for run in alone),
        "rows": rows,
        "bound_mb": round(alone[0]["bound"] / 1e6),
    }
    rounded = {k: round(v, 3) if v < 100 else int(v) for k, v in figures.items()}
    if options.json:
        print(json.dumps(rounded))
    else:
        for name, value in rounded.items():
            print(f"{name:<24} {value:>14,}")


def write(path: Path, gib: float) -> int:
    """Write the file and return its number of rows."""
    import h5py
    import numpy as np

    rows = max(4 * CHUNK_ROWS, int(gib * 2**30 / (4 * COLUMNS)))
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        shape = (rows, COLUMNS)
        features = file.create_dataset("features", shape, "f4", chunks=(CHUNK_ROWS, COLUMNS))
        label = file.create_dataset("label", (rows,), "i1", chunks=(CHUNK_ROWS,))
        for start in range(0, rows, CHUNK_ROWS):
            count = min(CHUNK_ROWS, rows - start)
            block = rng.standard_normal((count, COLUMNS), np.float32)
            features[start : start + count] = block
            label[start : start + count] = block[:, 0] + block[:, 1] > 0
    return rows


def on_ranks(n: int, path: Path) -> dict[str, Any]:
    """Run this script on ``n`` ranks, each on its own core, and return the figures of rank 0."""
    answer = output_of_ranks(n, [__file__, "--rank-of", path])
    rates: dict[str, Any] = json.loads(answer.splitlines()[-1])
    return rates


def be_a_rank(path: Path) -> None:
    """Read the file with all other ranks; rank 0 prints the figures."""
    import torch
    from torch import nn

    from matexapps import DataSet, Trainer
    from matexapps.comm.world import open_world

    torch.set_num_threads(1)
    comm = open_world()
    nn.Linear(COLUMNS, 1)(torch.zeros(4, COLUMNS)).sum().backward()
    bound = path.stat().st_size // 4
    before = resident()
    reset_peak()
    data = DataSet(path, validation=0, test=0, memory=bound).load(comm)
    rows = len(data.train)

    def ours(epoch: int) -> Callable[[], None]:
        def read() -> None:
            settings = {"seed": 0, "epoch": epoch, "device": "cpu", "comm": comm}
            seen = sum(len(batch) for batch in data.train.batches(BATCH, **settings))
            comm.barrier()
            assert comm.world_size > 1 or seen == rows

        return read

    names = ("raw_rows_per_s", "read_direct_rows_per_s", "rows_per_s")
    rates: dict[str, list[float]] = {name: [] for name in names}
    with plain_reader(path, comm.rank, comm.world_size) as read_plainly:
        for epoch in range(EPOCHS):
            for name in names[:2]:
                comm.barrier()
                rates[name].append(sum(comm.all_gather_object(read_plainly(name))))
            comm.barrier()
            rates["rows_per_s"].append(rows / timed(ours(epoch)))
    report: dict[str, Any] = {**rates, "bound": bound}
    model = nn.Linear(COLUMNS, 1)
    trainer = Trainer(model, batch_size=BATCH, device="cpu", comm=comm)
    report["trained_rows_per_s"] = rows / timed(lambda: trainer.fit(data, epochs=1))
    report["peak_over_bound"] = max(comm.all_gather_object((peak() - before) / bound))
    if comm.rank == 0:
        print(json.dumps(report), flush=True)


@contextmanager
def plain_reader(path: Path, part: int, parts: int) -> Iterator[Callable[[str], float]]:
    """Start a process that reads one part of the file on request and answers how fast."""
    command = [sys.executable, __file__, "--raw-of", str(path), "--part", str(part), str(parts)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        asked, answers = process.stdin, process.stdout
        assert asked is not None
        assert answers is not None

        def read_plainly(name: str) -> float:
            print(name, file=asked, flush=True)
            return float(answers.readline())

        yield read_plainly
        asked.close()


def read_raw(path: Path, part: int, parts: int) -> None:
    """Read one part of the file with h5py alone on each request, and print how fast."""
    import h5py

    loops = {"raw_rows_per_s": raw, "read_direct_rows_per_s": direct}
    with h5py.File(path, "r") as file:
        count = len(file["features"])
        rows = range(part * count // parts, (part + 1) * count // parts)
        for name in sys.stdin:
            print(len(rows) / timed(loops[name.strip()](file, rows)), flush=True)


def raw(file: Any, rows: range) -> Callable[[], None]:
    """Return a plain loop over rows in order."""

    def read() -> None:
        features, label = file["features"], file["label"]
        for start in rows[::CHUNK_ROWS]:
            stop = min(start + CHUNK_ROWS, rows.stop)
            _ = features[start:stop], label[start:stop]

    return read


def direct(file: Any, rows: range) -> Callable[[], None]:
    """Return the same loop into arrays that are reused."""
    import numpy as np

    def read() -> None:
        features, label = file["features"], file["label"]
        block = np.empty((CHUNK_ROWS, COLUMNS), np.float32)
        classes = np.empty(CHUNK_ROWS, np.int8)
        for start in rows[::CHUNK_ROWS]:
            count = min(CHUNK_ROWS, rows.stop - start)
            here = np.s_[start : start + count]
            features.read_direct(block, here, np.s_[:count])
            label.read_direct(classes, here, np.s_[:count])

    return read


def timed(function: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def median(runs: list[dict[str, Any]], key: str) -> float:
    """Return the median of one figure over all epochs of runs."""
    return statistics.median(rate for run in runs for rate in run[key])


def median_ratio(runs: list[dict[str, Any]], above: str, below: str) -> float:
    """Return the median over epochs of the ratio of two rates that were measured in turn."""
    return statistics.median(
        a / b for run in runs for a, b in zip(run[above], run[below], strict=True)
    )


def resident() -> int:
    """Return this process's resident memory in bytes."""
    return status("VmRSS")


def peak() -> int:
    """Return the highest resident memory since :func:`reset_peak`, in bytes."""
    return status("VmHWM")


def reset_peak() -> None:
    """Reset the highest resident memory (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


def status(field: str) -> int:
    """Return a field of this process's status, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise KeyError(field)


if __name__ == "__main__":
    main()
