"""Columns in memory, of a file that can only be read from its beginning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from matexapps.data.schema.encoding import EMPTY_TEXTS
from matexapps.data.sources.table import Table, Variable


class MemoryTable(Table):
    """Columns of cells, each in the narrowest type that fits all its cells.

    As in a CSV file, a column of integers is int64, or uint64 if only that holds them; one of
    numbers, or of integers with empty cells, is float64, where an empty cell is NaN; any other
    column is text.

    Parameters
    ----------
    path : Path
        The file that they were read from.
    columns : mapping of str to sequence
        Texts or numbers of each column, None where there is no value.
    """

    block_rows = 1

    def __init__(self, path: Path, columns: Mapping[str, Sequence[object]]) -> None:
        self.path = path
        self._columns = {name: _narrowed(cells) for name, cells in columns.items()}
        self._length = max(map(len, self._columns.values()), default=0)
        self.variables = [
            Variable(name, (name,), (), values.dtype) for name, values in self._columns.items()
        ]

    def __len__(self) -> int:
        return self._length

    def read(self, name: str, start: int, stop: int) -> NDArray[Any]:
        return self._columns[name][start:stop]

    def close(self) -> None:
        """Nothing is open."""


def _narrowed(cells: Sequence[object]) -> NDArray[Any]:
    texts = pd.Series(["" if cell is None else str(cell) for cell in cells], dtype=object)
    empty = texts.str.strip().isin(EMPTY_TEXTS)
    if not empty.all():
        with suppress(ValueError):
            return pd.to_numeric(texts.mask(empty)).to_numpy()
    return texts.to_numpy()
