"""The interface of all readers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from matexapps.data.rows import Rows


class Reader(ABC):
    """Reads rows of one file. ``len(reader)`` is the number of rows.

    Attributes
    ----------
    path : Path
        The file.
    columns : list of str
        Names of the feature columns.
    """

    path: Path
    columns: list[str]

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def read(self, start: int = 0, stop: int | None = None) -> Rows:
        """Return rows ``start`` to ``stop - 1``, checked, with the label as float64.

        Raises
        ------
        DataError
            Naming file, row and column of the first value that cannot be used.
        """

    @abstractmethod
    def locate(self, row: int) -> str:
        """Say where row number ``row``, from 0, stands in the file, in a person's words."""

    @abstractmethod
    def close(self) -> None:
        """Give back what the reader holds."""
