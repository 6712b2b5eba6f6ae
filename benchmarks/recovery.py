"""What the death of a rank costs, and what it costs to be ready for it.

    python benchmarks/recovery.py --json
    python benchmarks/recovery.py --proof 200

Trains a small network on simulated rows on 4 ranks, one of which ends itself at a random moment
(seeded), and compares with a training that nothing disturbs.

- shrink: seconds from the death to the next finished step on the survivors, the median over 20
  deaths; rows that were computed twice; seconds lost in all; and how far losses and weights are
  from the undisturbed ones.
- when nothing fails: a step's time with ranks that outlive others over its time without, the
  median over pairs of jobs that run one after the other.
- `--proof N`: N jobs with one to three deaths each, at random moments. All must finish, their
  ledgers must hold each row once an epoch, and nothing may be left running.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

RANKS = 4
DEATHS = 20
PAIRS = 10
EPOCHS = 6
ROWS = 20_000
BATCH = 512
TIMEOUT_S = 120.0


def main() -> None:
    """Run the jobs, or be a rank of one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.add_argument("--proof", type=int, default=0, metavar="N", help="N jobs with deaths")
    parser.add_argument("--deaths", type=int, default=DEATHS, help="deaths to measure")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="pairs of undisturbed jobs")
    parser.add_argument("--rank-of", metavar="PLAN", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.rank_of:
        be_a_rank(json.loads(options.rank_of))
    elif options.proof:
        prove(options.proof)
    else:
        figures = measure(options.deaths, options.pairs)
        print(json.dumps(figures) if options.json else figures)


def be_a_rank(plan: dict[str, Any]) -> None:
    """Train; end this rank when the plan says so; write what happened into the plan's folder."""
    import numpy as np
    import torch
    from torch import nn

    import matexapps as mx
    from matexapps.train.ledger import Ledger

    torch.set_num_threads(1)
    folder = Path(plan["folder"])
    comm = mx.open_world(timeout_s=TIMEOUT_S)
    born = comm.rank
    stamps: list[float] = []

    class Stamps(mx.Callback):
        def on_fit_start(self, trainer: Any) -> None:
            if str(born) in plan["deaths"]:
                threading.Thread(target=die, args=[plan["deaths"][str(born)]], daemon=True).start()

        def on_step_end(self, trainer: Any) -> None:
            stamps.append(time.time())

    def die(after_s: float) -> None:
        time.sleep(after_s)
        (folder / f"died-{born}").write_text(repr(time.time()))
        os.kill(os.getpid(), signal.SIGKILL)

    rng = np.random.default_rng(0)
    features = rng.normal(size=(ROWS, 28)).astype(np.float32)
    label = (features[:, 0] * features[:, 1] + features[:, 2] > 0).astype(np.float32)
    torch.manual_seed(0)
    hidden = [nn.Linear(300, 300), nn.ReLU()]
    model = nn.Sequential(nn.Linear(28, 300), nn.ReLU(), *hidden, nn.Linear(300, 1))
    callbacks: list[mx.Callback] = [Stamps()]
    if plan["ledger"]:
        callbacks.insert(0, Ledger(folder / "ledger"))
    trainer = mx.Trainer(
        model,
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.05, momentum=0.9),
        batch_size=BATCH,
        callbacks=callbacks,
        comm=comm,
        device="cpu",
        metrics=["roc_auc"],
    )
    history = trainer.fit(mx.DataSet.from_arrays(features, label), EPOCHS)
    result = {
        "stamps": stamps,
        "ranks": comm.world_size,
        "loss": [row["loss"] for row in history.rows],
        "roc_auc": history.rows[-1]["roc_auc"],
        "weights": float(sum(p.detach().double().abs().sum() for p in model.parameters())),
    }
    (folder / f"rank-{born}.json").write_text(json.dumps(result))
    comm.close()


def job(
    folder: Path, deaths: dict[int, float], outlive: bool = True, ledger: bool = True
) -> list[dict[str, Any]]:
    """Run one training and return what each rank wrote that came to its end."""
    from matexapps.comm.launch import mpi_environment, mpiexec_command

    folder.mkdir(parents=True)
    plan = {"folder": str(folder), "deaths": deaths, "ledger": ledger}
    command = mpiexec_command(RANKS, [__file__, "--rank-of", json.dumps(plan)], outlive)
    environment = {**os.environ, **mpi_environment(), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    results = [json.loads(path.read_text()) for path in sorted(folder.glob("rank-*.json"))]
    if len(results) != RANKS - len(list(folder.glob("died-*"))):
        raise SystemExit(f"a job failed, {folder} is kept:\n{done.stdout}\n{done.stderr[-5000:]}")
    return results


def measure(deaths: int, pairs: int) -> dict[str, Any]:
    """Return the figures."""
    with tempfile.TemporaryDirectory() as name:
        folder, rng = Path(name), random.Random(0)
        whole = job(folder / "whole", {})
        length = whole[0]["stamps"][-1] - whole[0]["stamps"][0]
        gaps, twice, lost_s, apart = [], [], [], []
        for number in range(deaths):
            here = folder / str(number)
            rank, moment = rng.randrange(RANKS), length * rng.uniform(0.1, 0.9)
            results = job(here, {rank: moment})
            died = float((here / f"died-{rank}").read_text())
            stamps = results[0]["stamps"]
            gaps.append(min(t for t in stamps if t > died + 1e-4) - died)
            twice.append(rows_computed_twice(here))
            lost_s.append(stamps[-1] - stamps[0] - length)
            apart.append(furthest(results[0], whole[0]))
            print(f"death {number + 1}: rank {rank}, {gaps[-1]:.3f} s", file=sys.stderr)
        ratios = [step_time(folder, k, True) / step_time(folder, k, False) for k in range(pairs)]
    return {
        "shrink_s_median": round(statistics.median(gaps), 4),
        "shrink_s_max": round(max(gaps), 4),
        "shrink_rows_twice_median": statistics.median(twice),
        "shrink_seconds_lost_median": round(statistics.median(lost_s), 2),
        "shrink_largest_difference": max(apart),
        "no_failure_time_ratio": round(statistics.median(ratios), 4),
        "no_failure_time_ratios": [round(ratio, 3) for ratio in sorted(ratios)],
        "ranks": RANKS,
        "deaths": deaths,
    }


def step_time(folder: Path, number: int, outlive: bool) -> float:
    """Return the median time of a step of an undisturbed job, in seconds."""
    here = folder / f"undisturbed-{number}-{outlive}"
    stamps = job(here, {}, outlive, ledger=False)[0]["stamps"]
    return statistics.median(b - a for a, b in pairwise(stamps))


def rows_computed_twice(folder: Path) -> int:
    """Return how many rows were computed for a step that was broken off."""
    from matexapps.train.ledger import read_ledger

    return int((~read_ledger(folder / "ledger").counts).sum())


def furthest(one: dict[str, Any], other: dict[str, Any]) -> float:
    """Return the largest relative difference of losses, area under the curve and weights."""
    ours = [*one["loss"], one["roc_auc"], one["weights"]]
    theirs = [*other["loss"], other["roc_auc"], other["weights"]]
    return max(abs(a - b) / abs(b) for a, b in zip(ours, theirs, strict=True))


def prove(jobs: int) -> None:
    """Run jobs with random deaths and look at what they leave."""
    from matexapps.train.ledger import read_ledger

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole = job(folder / "whole", {})
        length = whole[0]["stamps"][-1] - whole[0]["stamps"][0]
        rows = set(read_ledger(folder / "whole" / "ledger").row)
        died = 0
        for number in range(jobs):
            rng = random.Random(number)
            ranks = rng.sample(range(RANKS), rng.choice([1, 1, 2, 3]))
            deaths = {rank: length * rng.uniform(0, 1.3) for rank in ranks}
            here = folder / str(number)
            results = job(here, deaths)
            learned = read_ledger(here / "ledger")
            learned = learned[learned.counts]
            for epoch in range(1, EPOCHS + 1):
                if sorted(learned.row[learned.epoch == epoch]) != sorted(rows):
                    raise SystemExit(f"job {number}: epoch {epoch} is not each row once")
            if (apart := furthest(results[0], whole[0])) > 1e-5:
                raise SystemExit(f"job {number}: {apart} from the undisturbed result")
            left = subprocess.run(["pgrep", "-f", str(here)], capture_output=True, check=False)
            if left.stdout:
                raise SystemExit(f"job {number} left processes: {left.stdout.decode()}")
            died += len(list(here.glob("died-*")))
            print(f"job {number + 1} of {jobs}: {died} deaths so far", file=sys.stderr)
    print(json.dumps({"jobs": jobs, "deaths": died, "ledgers_exact": jobs}))


if __name__ == "__main__":
    main()
