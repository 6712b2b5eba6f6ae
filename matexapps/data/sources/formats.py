"""Which reader a file name calls for; its libraries are imported when it is opened."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from matexapps import FORMATS
from matexapps.data.schema.schema import Schema
from matexapps.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from matexapps.data.sources.reader import Reader
    from matexapps.data.sources.table import Table

_SUFFIXES = {
    "CSV": (".csv", ".tsv", ".txt", ".dat", ".data"),
    "HDF5": (".h5", ".hdf5", ".hdf", ".mat"),
    "NetCDF": (".nc", ".nc4", ".cdf", ".netcdf"),
    "Parquet": (".parquet",),
    **{name: suffixes for name, (suffixes, _) in FORMATS.items()},
}
_GZIPPED = ("CSV", *FORMATS)
_FOREIGN = (".feather", ".xlsx", ".xls", ".json", ".pkl", ".npy", ".npz", ".root", ".fits")


def open_reader(path: Path, schema: Schema) -> Reader:
    """Return a reader for ``path``, chosen by the ending of its name.

    Parameters
    ----------
    path : Path
        A file, a folder of files, or a pattern such as ``runs/*.csv``.
    schema : Schema

    Raises
    ------
    DataError
        If there is no such file, or no reader for its ending.
    """
    from matexapps.data.sources.several_files import SeveralFiles

    check_source(path)
    if path.is_file():
        return _open_file(path, schema)
    paths = files_of(path)
    if format_of(paths[0]) == "CSV":
        from matexapps.data.csv.files import CsvFiles
        from matexapps.data.csv.reader import CsvReader

        return CsvFiles(path, [CsvReader(file, schema) for file in paths])
    return SeveralFiles(path, paths, lambda file: _open_file(file, schema))


def files_of(path: Path) -> list[Path]:
    """Return the files to read as one: the file itself, or those of a folder or pattern.

    Raises
    ------
    DataError
        If a folder or pattern has no data file, or files of several formats.
    """
    from matexapps.data.sources.several_files import data_files

    return [path] if path.is_file() else data_files(path, format_of)


def format_of(path: Path) -> str | None:
    """Return the format that the ending of a file's name indicates; None if it is unknown."""
    plain = Path(path.name.lower().removesuffix(".gz"))
    is_gzip = path.suffix.lower() == ".gz"
    return next(
        (
            name
            for name, suffixes in _SUFFIXES.items()
            if plain.suffix in suffixes and (name in _GZIPPED or not is_gzip)
        ),
        None,
    )


def _open_file(path: Path, schema: Schema) -> Reader:
    if format_of(path) == "CSV":
        from matexapps.data.csv.reader import CsvReader

        return CsvReader(path, schema)
    table = open_table(path, schema)
    try:
        if format_of(path) == "NetCDF":
            from matexapps.data.netcdf.reader import NetcdfReader
            from matexapps.data.netcdf.table import NetcdfTable

            assert isinstance(table, NetcdfTable)
            return NetcdfReader(table, schema)
        from matexapps.data.sources.table_reader import TableReader

        return TableReader(table, schema)
    except BaseException:
        table.close()
        raise


def open_table(path: Path, schema: Schema) -> Table:
    """Return the table in ``path``, a file that is not CSV, chosen by the ending of its name.

    Raises
    ------
    DataError
        If its ending is unknown, or the file holds no table.
    """
    kind = format_of(path)
    if kind == "HDF5":
        from matexapps.data.hdf5.table import Hdf5Table

        return Hdf5Table(path, schema)
    if kind == "NetCDF":
        from matexapps.data.netcdf.table import NetcdfTable

        return NetcdfTable(path, schema)
    if kind == "Parquet":
        from matexapps.data.parquet import ParquetTable

        return ParquetTable(path)
    if kind in FORMATS:
        module, _, function = FORMATS[kind][1].rpartition(".")
        return getattr(import_module(module), function)(path)
    ending = path.suffix.lower()
    known = [suffix for suffixes in _SUFFIXES.values() for suffix in suffixes]
    cure = did_you_mean(ending, known)
    if ending in _FOREIGN:
        cure = ". Of another format, give what you read of it to DataSet.from_arrays"
    raise DataError(
        f"{path}: no reader for names that end like this; let it end in one of "
        f"{', '.join(known)} ({', '.join(_GZIPPED)} also with .gz){cure}"
    )


def check_source(path: Path) -> None:
    """Raise a DataError, with a suggestion, unless ``path`` is a file, a folder or a pattern."""
    if path.is_file():
        return
    from matexapps.data.sources.several_files import data_files, is_pattern

    if path.is_dir() or is_pattern(path):
        data_files(path, format_of)
        return
    if not path.parent.is_dir():
        raise DataError(f"{path} does not exist, nor does the folder {path.parent}")
    if path.exists():
        raise DataError(f"{path} is not a regular file: write its content to one")
    neighbors = (entry.name for entry in path.parent.iterdir() if entry.is_file())
    raise DataError(f"{path} does not exist{did_you_mean(path.name, neighbors)}")
