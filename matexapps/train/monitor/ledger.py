"""A ledger of rows: which rank computed which row for which step, through failures and restarts.

Each rank writes its rows to a file of its own before it computes them, so that the entries of a
failed rank remain. The ranks that repeat a step enter its rows again; the network has learned from
the last entries of a step.
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
    """Writes down each training row, for :func:`read_ledger`.

    Parameters
    ----------
    folder : path
        Of one training; made if it does not exist.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._file: IO[str] | None = None

    def on_batch_start(self, trainer: Training, batch: Batch) -> None:
        if self._file is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            name = f"{trainer.comm.hostname}-{os.getpid()}.csv"
            self._file = open(self.folder / name, "a", buffering=1)  # noqa: SIM115
        position = trainer.position
        rows = " ".join(map(str, batch.ids.tolist()))
        attempt = trainer.comm.renewals
        self._file.write(
            f"{position.epoch + 1},{position.step + 1},{attempt},{trainer.comm.rank},{rows}\n"
        )


def read_ledger(folder: str | Path) -> pd.DataFrame:
    """Return the rows that the ranks of a training have entered.

    Parameters
    ----------
    folder : path

    Returns
    -------
    DataFrame
        A line for each row and each time it was computed: ``epoch`` and ``step`` from 1,
        ``attempt`` at the step, ``rank``, the number of the ``row`` in its source, and whether it
        ``counts``: False where the step was broken off and repeated.

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
        # A rank may have died while it wrote its last line.
        complete, _, _ = file.read_text().rpartition("\n")
        for line in complete.splitlines():
            *numbers, rows = line.split(",")
            lines += [(*map(int, numbers), int(row)) for row in rows.split()]
    table = pd.DataFrame(lines, columns=_COLUMNS)
    last = table.groupby(["epoch", "step"])["attempt"].transform("max")
    return table.assign(counts=table["attempt"] == last)
