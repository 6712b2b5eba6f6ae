"""How fast training goes, reported a few times a second."""

from __future__ import annotations

import time
from typing import Any

from matexapps.comm.communicator import Communicator
from matexapps.progress import report

_EVERY_S = 0.25


class Throughput:
    """Counts rows against the clock and reports progress from this rank.

    Parameters
    ----------
    comm : Communicator
    epochs, steps, rows : int
        Epochs in all, steps and rows of one epoch.
    """

    def __init__(self, comm: Communicator, epochs: int, steps: int, rows: int) -> None:
        self._comm = comm
        self._plan = {"epochs": epochs, "steps": steps, "rows_total": rows}
        self._began = time.perf_counter()
        self._waited_before = comm.waited_s
        self._next = self._began
        self._epoch = 0
        self._rows = 0
        self._rows_before = 0
        self._epoch_began = self._began
        self._seconds_before = 0.0

    @property
    def epoch_seconds(self) -> float:
        """Seconds spent in the current epoch, including those before a resume."""
        return self._seconds_before + time.perf_counter() - self._epoch_began

    def start_epoch(self, epoch: int, rows_done: int, seconds_before: float) -> None:
        """Begin or continue an epoch (from 0) of which ``rows_done`` rows are done."""
        self._epoch, self._rows, self._rows_before = epoch, rows_done, rows_done
        self._epoch_began, self._seconds_before = time.perf_counter(), seconds_before

    def due(self, rows: int) -> bool:
        """Count the rows of another step; return whether it is time to report."""
        self._rows += rows
        return time.perf_counter() >= self._next

    def report(self, step: int, loss: float) -> None:
        """Report the progress of this epoch."""
        self._next = time.perf_counter() + _EVERY_S
        self._send(self._epoch + 1, step, loss, {})

    def report_epoch(self, row: dict[str, Any]) -> None:
        """Report a completed epoch with its row of the history."""
        apart = ("epoch", "loss", "learning_rate", "rows_per_s", "seconds")
        metrics = {name: value for name, value in row.items() if name not in apart}
        self._send(row["epoch"], self._plan["steps"], row["loss"], metrics)

    def _send(self, epoch: int, step: int, loss: float, metrics: dict[str, float]) -> None:
        now = time.perf_counter()
        waited = self._comm.waited_s - self._waited_before
        report(
            {
                "kind": "train",
                "rank": self._comm.rank,
                "world_size": self._comm.world_size,
                "host": self._comm.hostname,
                "epoch": epoch,
                "step": step,
                "rows": self._rows,
                "rows_per_s": (self._rows - self._rows_before) / max(now - self._epoch_began, 1e-9),
                "compute_s": now - self._began - waited,
                "wait_s": waited,
                "loss": loss,
                "metrics": metrics,
                **self._plan,
            }
        )
