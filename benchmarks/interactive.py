"""How long a person at a notebook waits: for a start, for an empty cell, for Stop, for an error.

    python benchmarks/interactive.py --json

Real kernels on this machine, 2 ranks, seeded. Times of tries are taken by the kernel's client, so
they include the way to the kernel and back.

- start_s: from sending `%mpi start -n 2` until its reply, with the extension loaded; median over
  fresh kernels. ipyparallel_start_s: the same for `ipyparallel.Cluster(engines="mpi",
  n=2).start_and_connect_sync()`, with ipyparallel imported. start_over_ipyparallel: their ratio.
  The last two are absent where that start fails.
- roundtrip_ms: an empty `%%mpi` cell, px_ms: an empty `%%px` cell of ipyparallel on the same
  engines. They alternate inside one kernel; medians. roundtrip_over_px_ms: their difference.
- stop_s_median, stop_s_max: from pressing Stop until the cell's reply, half of the tries in a cell
  where one rank computes and the other waits in a barrier, half in the training of `cluster.fit`.
- free_s_median, free_s_max: from the raise on one rank until the cell's error, half of the tries
  while the other rank waits in a barrier, half while it computes in Python.
- usable_after: the share of these tries that ended as they should and after which the next cell,
  a sum over the ranks, was right, on the same processes.
- tries: of each kind, Stop and raise.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "helpers"))

from kernel import Notebook, open_notebook

RANKS = 2
STARTS = 5
TRIES = 50
ROUNDTRIPS = 100
LONGEST_DELAY_S = 0.5

LOAD = "%load_ext matexapps"
START = f"%mpi start -n {RANKS}"

IPYPARALLEL_PREPARE = f"""
import os, ipyparallel
from traitlets.config import Config
from matexapps.launch.mpiexec import find_mpiexec, mpi_environment
os.environ.update(mpi_environment())
settings = Config()
settings.MPILauncher.mpi_cmd = [str(find_mpiexec())]
theirs = ipyparallel.Cluster(engines="mpi", n={RANKS}, config=settings, log_level=40)
"""
IPYPARALLEL_START = "client = theirs.start_and_connect_sync()"
IPYPARALLEL_CHECK = f"assert len(client.ids) == {RANKS}\ntheirs.stop_cluster_sync()"

ROUNDTRIP = f"""
import json, time
shell = get_ipython()
cluster._engines.client.activate()
times = {{"mpi": [], "px": []}}
for number in range({ROUNDTRIPS} + 5):
    for magic, seconds in times.items():
        began = time.perf_counter()
        shell.run_cell_magic(magic, "", "None")
        if number >= 5:
            seconds.append(time.perf_counter() - began)
print("times", json.dumps(times))
"""

PREPARE_TRAINING = """
import numpy as np
from torch import nn
from matexapps import Callback, DataSet
rows = np.random.default_rng(0).normal(size=(2000, 4)).astype("float32")
data = DataSet.from_arrays(rows, (rows[:, 0] > 0).astype(float))
class Speak(Callback):
    def on_epoch_end(self, trainer, *_):
        if trainer.position.epoch == 1:
            print("under way", flush=True)
"""
TRAINING = """
cluster.fit(nn.Linear(4, 1), data, epochs=1_000_000, batch_size=100, callbacks=[Speak()])
"""
WAITING = """%%mpi
import time
from matexapps import open_world
comm = open_world()
comm.barrier()
print("under way", flush=True)
while comm.rank == {rank}:
    time.sleep(0.001)
comm.barrier()
"""
RAISING = """%%mpi
import time
from matexapps import open_world
comm = open_world()
comm.barrier()
if comm.rank == {rank}:
    time.sleep({delay_s})
    raise ValueError(f"raised at {{time.time()}}")
while {computing}:
    time.sleep(0.001)
comm.barrier()
"""
SUM = """%%mpi -o seen
import os
import numpy as np
from matexapps import open_world
with open_world() as world:
    total = np.array([world.rank + 1.0])
    world.all_reduce(total)
float(total[0]), os.getpid()
"""


def main() -> None:
    """Measure everything and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.add_argument("--tries", type=int, default=TRIES, help="of Stop, and of a raise")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MATEXAPPS_LOGS"] = os.environ["IPYTHONDIR"] = folder
        figures = starts()
        with open_notebook(LOAD) as notebook:
            notebook.good(START)
            figures |= roundtrips(notebook)
            figures |= tries(notebook, options.tries)
    print(json.dumps(figures) if options.json else figures)


def starts() -> dict[str, float]:
    """Start ranks and ipyparallel's own cluster in turn, each in a fresh kernel."""
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(STARTS):
        with open_notebook(LOAD) as notebook:
            began = time.perf_counter()
            notebook.good(START)
            ours.append(time.perf_counter() - began)
            notebook.good("%mpi stop")
        with open_notebook(IPYPARALLEL_PREPARE) as notebook:
            began = time.perf_counter()
            failed = notebook.cell(IPYPARALLEL_START).error
            took_s = time.perf_counter() - began
            if not failed and not notebook.cell(IPYPARALLEL_CHECK).error:
                theirs.append(took_s)
    figures = {"start_s": round(statistics.median(ours), 3)}
    if len(theirs) == STARTS:
        other_s = statistics.median(theirs)
        figures["ipyparallel_start_s"] = round(other_s, 3)
        figures["start_over_ipyparallel"] = round(figures["start_s"] / other_s, 3)
    print("starts", show(ours), "ipyparallel", show(theirs))
    return figures


def roundtrips(notebook: Notebook) -> dict[str, float]:
    """Compare an empty cell of both magics, in turn."""
    said = notebook.good(ROUNDTRIP)
    times = json.loads(said[said.index("times {") + 6 :].splitlines()[0])
    ours, theirs = (1e3 * statistics.median(times[magic]) for magic in ("mpi", "px"))
    return {
        "roundtrip_ms": round(ours, 2),
        "px_ms": round(theirs, 2),
        "roundtrip_over_px_ms": round(ours - theirs, 2),
    }


def tries(notebook: Notebook, count: int) -> dict[str, float]:
    """Press Stop, and raise on one rank, again and again."""
    chance = random.Random(0)
    notebook.good(PREPARE_TRAINING)
    answers = [look(notebook)]
    stop_s: list[float] = []
    free_s: list[float] = []
    for number in range(count):
        for measure, seconds in ((stopped, stop_s), (freed, free_s)):
            took_s, well = measure(notebook, chance, second=bool(number % 2))
            seconds.append(took_s)
            answers.append(look(notebook) if well else "")
    print("stop", show(stop_s), "free", show(free_s))
    good = answers[0]
    assert good.startswith(f"[[{sum(range(1, RANKS + 1))}.0, "), good
    return {
        "stop_s_median": round(statistics.median(stop_s), 3),
        "stop_s_max": round(max(stop_s), 3),
        "free_s_median": round(statistics.median(free_s), 3),
        "free_s_max": round(max(free_s), 3),
        "usable_after": round(answers[1:].count(good) / (2 * count), 4),
        "tries": count,
    }


def look(notebook: Notebook) -> str:
    """Return the sum over the ranks that each rank gets, with its process, as JSON."""
    if error := notebook.cell(SUM).error:
        return error
    return notebook.good("import json\nprint(json.dumps(seen))").strip()


def stopped(notebook: Notebook, chance: random.Random, second: bool) -> tuple[float, bool]:
    """Press Stop in a barrier, or in training; return the time and whether the ranks were kept."""
    code = TRAINING if second else WAITING.format(rank=chance.randrange(RANKS))
    delay_s = chance.uniform(0, LONGEST_DELAY_S)
    pressed_at: list[float] = []

    def press() -> None:
        time.sleep(delay_s)
        pressed_at.append(time.perf_counter())
        notebook.stop()

    shown = notebook.cell(code, "under way", press)
    took_s = time.perf_counter() - pressed_at[0]
    well = shown.error == "KeyboardInterrupt" and "were ended" not in shown.text
    if not well:
        print(shown.text)
    return took_s, well


def freed(notebook: Notebook, chance: random.Random, second: bool) -> tuple[float, bool]:
    """Raise on a rank while the other waits, or computes; return the time and if it was told."""
    rank, delay_s = chance.randrange(RANKS), chance.uniform(0, LONGEST_DELAY_S)
    shown = notebook.cell(RAISING.format(rank=rank, delay_s=delay_s, computing=second))
    ended_at = time.time()
    told = re.search(rf"ValueError on rank {rank} of {RANKS} .*raised at ([0-9.]+)", shown.text)
    if told is None:
        raise RuntimeError(f"the error is not the one that was raised:\n{shown.text}")
    return ended_at - float(told[1]), shown.error == "ClusterError"


def show(seconds: list[float]) -> str:
    """Return the smallest, middle and largest of some times."""
    if not seconds:
        return "none"
    low, mid, high = min(seconds), statistics.median(seconds), max(seconds)
    return f"{mid:.3f} s (min {low:.3f}, max {high:.3f})"


if __name__ == "__main__":
    main()
