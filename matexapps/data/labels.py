"""Checks of labels that classification needs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from matexapps.data.rows import Rows
from matexapps.errors import DataError


def require_binary(
    rows: Rows, source: str = "the data", locate: Callable[[int], str] | None = None
) -> None:
    """Raise unless every label is 0 or 1 and both occur.

    Parameters
    ----------
    rows : Rows
        What to check.
    source : str
        The file, as the message should call it.
    locate : function of a row number, or None
        Says where that row stands in the file; a reader's ``locate``.

    Raises
    ------
    DataError
        Naming the first row whose label is neither 0 nor 1, or the only class there is.
    """
    wrong = (rows.label != 0) & (rows.label != 1)
    if wrong.any():
        first = int(np.argmax(wrong))
        row = int(rows.ids[first])
        where = locate(row) if locate is not None else f"row {row} (from 0)"
        raise DataError(
            f"{source}, {where}: the label is {rows.label[first]:g}, neither 0 nor 1; correct it, "
            "or choose another column as the label"
        )
    if len(rows) and (rows.label == rows.label[0]).all():
        raise DataError(
            f"{source}: all {len(rows)} labels are {rows.label[0]:g}, only one class, so there is "
            "nothing to tell apart; add rows of the other class"
        )
