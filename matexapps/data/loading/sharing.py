"""Rows that ranks have read in shares, put together on all of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from matexapps.comm.communicator import Communicator
from matexapps.data.rows import Rows


def gather_rows(read: Callable[[], Rows], comm: Communicator) -> Rows:
    """Return what every rank's ``read`` returns, joined in rank order, on every rank. Collective.

    The row numbers count through all of them. An exception of one rank is raised on all: that of
    the lowest rank.

    Parameters
    ----------
    read : function
        Returns this rank's rows; all with the same columns, weighted or not.
    comm : Communicator
    """
    rows = comm.on_all(read)
    if comm.world_size == 1:
        return rows
    features = comm.all_gather_rows(rows.features)
    return Rows(
        features=features,
        label=comm.all_gather_rows(rows.label),
        weight=None if rows.weight is None else comm.all_gather_rows(rows.weight),
        ids=np.arange(len(features), dtype=np.int64),
        columns=rows.columns,
        key=None if rows.key is None else np.concatenate(comm.all_gather_object(rows.key)),
    )
