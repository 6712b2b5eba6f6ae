"""The interface of all readers, and which reader a file name asks for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from matexapps.data.rows import Rows
from matexapps.data.schema import Schema
from matexapps.errors import DataError, did_you_mean

CSV_SUFFIXES = (".csv", ".tsv", ".txt", ".dat", ".data")
HDF5_SUFFIXES = (".h5", ".hdf5", ".hdf")


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


def open_reader(path: Path, schema: Schema) -> Reader:
    """Return a reader for ``path``, chosen by the ending of its name.

    Raises
    ------
    DataError
        If there is no such file, or no reader for its ending.
    """
    check_file(path)
    name = path.name.lower()
    ending = Path(name.removesuffix(".gz")).suffix
    if ending in CSV_SUFFIXES:
        from matexapps.data.csv import CsvReader

        return CsvReader(path, schema)
    if ending in HDF5_SUFFIXES and not name.endswith(".gz"):
        from matexapps.data.hdf5 import Hdf5Reader

        return Hdf5Reader(path, schema)
    known = (*CSV_SUFFIXES, *HDF5_SUFFIXES)
    raise DataError(
        f"{path}: no reader for names that end like this; let it end in one of "
        f"{', '.join(known)} (CSV also with .gz){did_you_mean(ending, known)}"
    )


def check_file(path: Path) -> None:
    """Raise a DataError, with a suggestion, unless ``path`` is a file."""
    if path.is_file():
        return
    if path.is_dir():
        raise DataError(f"{path} is a folder: give the name of one file in it")
    if not path.parent.is_dir():
        raise DataError(f"{path} does not exist, nor does the folder {path.parent}")
    neighbours = (entry.name for entry in path.parent.iterdir() if entry.is_file())
    raise DataError(f"{path} does not exist{did_you_mean(path.name, neighbours)}")
