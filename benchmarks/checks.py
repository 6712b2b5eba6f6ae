"""What it costs to check, before each collective, that all ranks call the same.

    python benchmarks/checks.py --json

Starts 2 ranks, each pinned to a core. Blocks with and without checks alternate, so that a change of
the machine's speed meets both; figures are medians over blocks.

- all_reduce of 4 KiB of float32, the slower rank's time; `check_us` is the difference.
- a step of `Trainer.fit` on the network of `step.py`, 128 rows a rank; `step_over_unchecked` is the
  ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable

from common import network, run_on
from step import RANKS, our_loop

CALLS = 1000
ROUNDS = 25
VALUES = 1024


def main() -> None:
    """Start the ranks, or be one of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="blocks of each way")
    options = parser.parse_args()
    run_on(RANKS)
    measure(options.rounds, options.json)


def measure(rounds: int, as_json: bool) -> None:
    """Run both ways in turn on every rank; rank 0 prints the figures."""
    import torch

    from matexapps.comm.world import open_world

    comm = open_world(check=False)
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[comm.rank % len(cores)]})
    torch.set_num_threads(1)
    worlds = {"unchecked": open_world(check=False), "checked": open_world(check=True)}
    calls = {name: call_loop(world) for name, world in worlds.items()}
    steps = {name: our_loop(network(), world) for name, world in worlds.items()}
    reduce_s = alternate(calls, comm, rounds)
    step_s = alternate(steps, comm, rounds)
    if comm.rank == 0:
        show(reduce_s, step_s, as_json)
    comm.close()


def alternate(
    ways: dict[str, Callable[[], list[float]]], comm, rounds: int
) -> dict[str, list[float]]:
    """Return, for each way and block, the slower rank's mean time; a first block warms up."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(-1, rounds):
        for name, run in ways.items():
            comm.barrier()
            slowest = max(comm.all_gather_object(statistics.fmean(run())))
            if round_ >= 0:
                times[name].append(slowest)
    return times


def call_loop(comm) -> Callable[[], list[float]]:
    """Return a function that makes a block of calls and gives their mean time."""
    import numpy as np

    values = np.zeros(VALUES, np.float32)

    def run() -> list[float]:
        began = time.perf_counter()
        for _ in range(CALLS):
            comm.all_reduce(values)
        return [(time.perf_counter() - began) / CALLS]

    return run


def show(reduce_s: dict[str, list[float]], step_s: dict[str, list[float]], as_json: bool) -> None:
    """Print both ways' times, their difference and their ratio."""
    for what, times in (("all_reduce of 4 KiB", reduce_s), ("training step", step_s)):
        for name, blocks in times.items():
            low, mid, high = (1e6 * f(blocks) for f in (min, statistics.median, max))
            print(f"{what}, {name:9s} {mid:9.1f} us (min {low:.1f}, max {high:.1f})")
    figures = {
        "check_us": 1e6 * over_blocks(lambda with_, without: with_ - without, reduce_s),
        "all_reduce_us": 1e6 * statistics.median(reduce_s["unchecked"]),
        "all_reduce_checked_us": 1e6 * statistics.median(reduce_s["checked"]),
        "step_over_unchecked": over_blocks(lambda with_, without: with_ / without, step_s),
        "step_ms": 1e3 * statistics.median(step_s["unchecked"]),
        "step_checked_ms": 1e3 * statistics.median(step_s["checked"]),
        "ranks": RANKS,
    }
    figures = {name: round(value, 4) for name, value in figures.items()}
    print(json.dumps(figures) if as_json else figures)


def over_blocks(compare: Callable[[float, float], float], times: dict[str, list[float]]) -> float:
    """Return the median of a comparison of blocks measured next to each other."""
    return statistics.median(map(compare, times["checked"], times["unchecked"]))


if __name__ == "__main__":
    main()
