"""A ledger of rows: which rank computed which row for which step, through losses and restarts.

Each rank writes what it is about to contribute before it does so, into a file of its own, so that
a rank's entries outlive it. A step that was broken off is entered again by those that take it
again; its last entries are the ones that the network has learned from.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

import pandas as pd

from matexapps.data.loading.batch import Batch
from matexapps.errors import TrainingError
from matexapps.train.training import Callback, Training

_COLUMNS = ("epoch", "step", "attempt", "rank", "row")


class Ledger(Callback):
    """Writes down each row that is learned from, for :func:`read_ledger`.

    Parameters
    ----------
    folder : path
        Of one training; made if it is not there.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._file: IO[str] | None = None

    def on_batch_start(self, trainer: Training, batch: Batch) -> None:
        if self._file is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            name = f"{trainer.comm.hostname}-{os.getpid()}.csv"
            self._file = open(self.folder / name, "a", buffering=1)  # noqa: SIM115
        at = trainer.position
        rows = " ".join(map(str, batch.ids.tolist()))
        attempt = trainer.comm.renewals
        self._file.write(f"{at.epoch + 1},{at.step + 1},{attempt},{trainer.comm.rank},{rows}\n")


def read_ledger(folder: str | Path) -> pd.DataFrame:
    """Return what the ranks of a training have written.

    Parameters
    ----------
    folder : path

    Returns
    -------
    DataFrame
        A line for each row and time that it was computed: ``epoch`` and ``step`` from 1,
        ``attempt`` at the step, ``rank``, the number of the ``row`` in its source, and whether it
        ``counts``: False where the step was broken off and taken again.

    Raises
    ------
    TrainingError
        If there is no ledger.
    """
    lines = []
    files = sorted(Path(folder).glob("*.csv"))
    if not files:
        raise TrainingError(f"no ledger in {folder}; give the folder that Ledger(folder) wrote to")
    for file in files:
        # What follows the last line end was being written when its rank died.
        whole, _, _ = file.read_text().rpartition("\n")
        for line in whole.splitlines():
            *numbers, rows = line.split(",")
            lines += [(*map(int, numbers), int(row)) for row in rows.split()]
    table = pd.DataFrame(lines, columns=_COLUMNS)
    last = table.groupby(["epoch", "step"])["attempt"].transform("max")
    return table.assign(counts=table["attempt"] == last)
