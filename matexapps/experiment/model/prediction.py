"""Prediction of any number of rows on all ranks, in their order."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from matexapps import progress
from matexapps.comm.communicator import Communicator
from matexapps.comm.world import open_world
from matexapps.data.partition import share_by_work
from matexapps.experiment.domain import TrainedModel
from matexapps.experiment.ranks import LONGEST_WAIT_S, Ranks
from matexapps.files import GrowingFile

PIECE = 4096
"""Rows that ranks share out at a time, and the most that are held in memory."""

Cells = list[list[Any]]


def predicted_pieces(model: TrainedModel, source: Any, comm: Communicator) -> Iterator[Cells]:
    """Yield the cells of each row's prediction, piece by piece, in order, on all ranks. Collective.

    Parameters
    ----------
    model : TrainedModel
        The same on all ranks.
    source : path or table
        As the domain's ``source`` gives it.
    comm : Communicator
    """
    ranks, domain, rows = Ranks(comm), model.domain, 0
    doing = f"predicting {domain.unit}"
    for piece in domain.pieces(source, model, PIECE):
        when = f"while {domain.unit} from {rows + 1:,} on were predicted"
        yield ranks.run(when, partial(_predict, piece, rows, model, ranks))
        rows += len(piece)
        if comm.rank == 0:  # for all ranks, which would otherwise be added up
            progress.report_work(doing, rows, None, domain.unit)


def predict_file(
    model: TrainedModel, source: Any, out: str | Path, comm: Communicator
) -> dict[str, Any]:
    """Predict each row of a file and write a CSV table, in the file's order. Collective.

    The table appears under its name when it is complete.

    Returns
    -------
    dict
        On every rank, what was done and how fast.

    Raises
    ------
    DataError
        If the file cannot be read or does not fit the model, or the table cannot be written.
    """
    began = time.monotonic()
    ranks, table = Ranks(comm), GrowingFile(Path(out))
    position = rows = bad = 0

    def append(cells: Cells) -> int:
        content = _lines(cells)
        ranks.run(
            "while rows were written",
            lambda: ranks.on_root(lambda: table.write(position, content)),
        )
        return position + len(content)

    try:
        position = append([["row", *model.domain.prediction_columns(model)]])
        for cells in predicted_pieces(model, source, comm):
            position = append(cells)
            rows += len(cells)
            bad += sum(bool(row[-1]) for row in cells)
        ranks.run("at the end", lambda: ranks.on_root(table.finish))
    finally:
        if comm.rank == 0:
            table.discard()
    seconds = time.monotonic() - began
    return {
        "out": str(out),
        "rows": rows,
        "bad": bad,
        "ranks": comm.world_size,
        "seconds": round(seconds, 2),
        "rows_per_s": round(rows / seconds, 1),
    }


def predict(model: TrainedModel, rows: Any, cluster: Any = None) -> pd.DataFrame:
    """Return a table with a row for each row of ``rows``, predicted here or on a cluster's ranks.

    Parameters are those of :meth:`matexapps.experiment.model.model.Model.predict`, the rows as the
    domain's ``source`` gives them.
    """
    if cluster is None:
        table = predict_on_ranks(model, rows, everywhere=True)
    else:
        table = cluster.run("matexapps.experiment.model.prediction:predict_on_ranks", model, rows)[
            0
        ]
    assert table is not None
    return table


def predict_on_ranks(
    model: TrainedModel, rows: Any, everywhere: bool = False
) -> pd.DataFrame | None:
    """Predict rows on all ranks; rank 0, or every rank, returns the table. Collective."""
    with open_world(LONGEST_WAIT_S) as comm:
        cells = [row for piece in predicted_pieces(model, rows, comm) for row in piece]
        if comm.rank and not everywhere:
            return None
    columns = ["row", *model.domain.prediction_columns(model)]
    table = pd.DataFrame(cells, columns=columns).set_index("row")
    return table.apply(_as_numbers)


def _as_numbers(column: pd.Series) -> pd.Series:
    try:
        return pd.to_numeric(column.replace("", None))
    except (TypeError, ValueError):
        return column


def _predict(piece: Sequence[Any], before: int, model: TrainedModel, ranks: Ranks) -> Cells:
    """Return the cells of a piece, each row's number in front. Collective."""
    domain = model.domain
    effort = [domain.effort(row) for row in piece]
    shares = [share_by_work(effort, rank, ranks.world_size) for rank in range(ranks.world_size)]
    predicted = ranks.map(
        lambda share: domain.predict(piece[share], model) if share.stop > share.start else [],
        shares,
    )
    cells = [row for share in predicted for row in share]
    return [[number, *row] for number, row in enumerate(cells, start=before + 1)]


def _lines(cells: Cells) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(cells)
    return text.getvalue().encode()
