"""What the tests run on ranks."""

from __future__ import annotations

import os
import signal
import time

from matexapps import progress
from matexapps.comm.world import open_world
from matexapps.errors import DataError


def world() -> tuple[int, int]:
    """Return rank and world size."""
    with open_world() as comm:
        return comm.rank, comm.world_size


def fail_on(rank: int) -> None:
    """Raise on one rank while the others wait for it in a barrier."""
    with open_world() as comm:
        if comm.rank == rank:
            raise ValueError(f"rank {rank} met a broken batch")
        comm.barrier()


def fail_outside_of_any_collective(rank: int) -> str:
    """Raise on one rank while the others are busy with something of their own."""
    mine, _ = world()
    if mine == rank:
        raise ValueError("only here")
    while True:
        time.sleep(0.01)


def fail_everywhere() -> None:
    """Raise the same error of ours on every rank."""
    raise DataError("events.csv, row 3, column energy: 'abc' is not a number")


def die_on(rank: int) -> None:
    """Be killed on one rank while the others wait for it."""
    with open_world() as comm:
        if comm.rank == rank:
            os.kill(os.getpid(), signal.SIGKILL)
        comm.barrier()


def report_progress() -> None:
    """Report an epoch's end of four."""
    with open_world() as comm:
        progress.report(
            {
                "kind": "train",
                "rank": comm.rank,
                "world_size": comm.world_size,
                "host": comm.hostname,
                "epoch": 2,
                "epochs": 4,
                "step": 8,
                "steps": 8,
                "rows": 1000,
                "rows_total": 1000,
                "rows_per_s": 5000.0,
                "compute_s": 1.0,
                "wait_s": 0.5 if comm.rank else 0.0,
                "loss": 0.25,
                "metrics": {},
            }
        )


def speak() -> None:
    """Print a line on every rank."""
    rank, _ = world()
    print(f"hello from {rank}")
