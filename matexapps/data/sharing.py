"""Rows that one rank holds, sent to all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from matexapps.comm.communicator import Communicator
from matexapps.data.rows import Rows


@dataclass(frozen=True)
class RowsShape:
    """What a rank must know to receive rows: how many, how wide, of what type."""

    rows: int
    columns: list[str]
    label_type: str
    weighted: bool


def describe(rows: Rows) -> RowsShape:
    """Return the shape of ``rows``."""
    return RowsShape(len(rows), rows.columns, rows.label.dtype.str, rows.weight is not None)


def broadcast_rows(rows: Rows | None, shape: RowsShape, comm: Communicator) -> Rows:
    """Return rank 0's ``rows`` on every rank; the arrays travel as they are. Collective.

    Parameters
    ----------
    rows : Rows or None
        The rows on rank 0; not looked at elsewhere.
    shape : RowsShape
        Their shape, known to all ranks.
    comm : Communicator
    """
    if comm.rank != 0 or rows is None:
        rows = Rows(
            features=np.empty((shape.rows, len(shape.columns)), np.float32),
            label=np.empty(shape.rows, np.dtype(shape.label_type)),
            weight=np.empty(shape.rows, np.float64) if shape.weighted else None,
            ids=np.empty(shape.rows, np.int64),
            columns=shape.columns,
        )
    for array in (rows.features, rows.label, rows.weight, rows.ids):
        if array is not None:
            comm.broadcast(array)
    return rows
