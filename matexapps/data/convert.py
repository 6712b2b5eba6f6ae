"""From one file format to another: ``convert("runs.csv", "runs.h5")``.

All variables along the rows are converted, with their column names and types: numbers keep their
type, text stays text. Whatever else the source holds is named. How each format stores them is
described in :mod:`matexapps.data.hdf5.write`, :mod:`matexapps.data.netcdf.write` and
:mod:`matexapps.data.csv.write`; what is read from CSV, in :mod:`matexapps.data.csv.table`. Rows
pass through memory in blocks of about 1 MiB.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from matexapps.data.schema.schema import Schema
from matexapps.data.sources.raw_files import RawFiles, listed
from matexapps.data.sources.table import Variable, named_columns
from matexapps.errors import DataError, did_you_mean
from matexapps.files import atomic_file
from matexapps.progress import report_work

_HDF5, _NETCDF = (".h5", ".hdf5"), (".nc",)
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_TEXT = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
_FLOATS = ("float16", "float32", "float64")
_TYPES = (*_FLOATS, *(f"{sign}int{bits}" for bits in (8, 16, 32, 64) for sign in ("", "u")))


@dataclass(frozen=True)
class Converted:
    """What was written.

    Attributes
    ----------
    path : Path
    rows, columns : int
    bytes : int
        Size of the file.
    note : str
        What to watch out for: what a reader would get wrong, and what was left out; empty if
        nothing.
    """

    path: Path
    rows: int
    columns: int
    bytes: int
    note: str = ""


def convert(
    source: str | Path,
    target: str | Path,
    *,
    dtype: str | None = None,
    compress: bool = False,
    overwrite: bool = False,
    schema: Schema | None = None,
) -> Converted:
    """Write the rows of ``source`` to ``target``, in the format that its ending asks for.

    The target appears complete or not at all.

    Parameters
    ----------
    source : str or Path
        A file, a folder or a pattern of files, or a name of the catalog.
    target : str or Path
        Ends in .h5, .hdf5, .nc, .csv, .tsv, .csv.gz or .tsv.gz.
    dtype : str or None
        One type for all numbers, such as "float32"; None keeps the type of each.
    compress : bool
        Whether to compress HDF5 and NetCDF. (CSV is compressed if its name ends in .gz.)
    overwrite : bool
        Whether a target that exists may be replaced.
    schema : Schema or None
        How to read the source, such as ``Schema(dimension="time")``, where that is ambiguous.

    Raises
    ------
    DataError
        If the source cannot be read, or the target cannot hold it.
    """
    path = Path(os.path.expanduser(target))
    ending = _ending(path)
    if compress and ending in _TEXT:
        raise DataError(f"{path}: CSV is compressed where its name ends in .gz: give it that name")
    if dtype is not None and dtype not in _TYPES:
        raise DataError(
            f"dtype={dtype!r} is not a numeric type: use one of {', '.join(_TYPES)}"
            f"{did_you_mean(dtype, _TYPES)}"
        )
    _check_place(path, overwrite)
    files = RawFiles(source, schema or Schema())
    if not len(files):
        raise DataError(f"{files.path} has no rows")
    wanted = [_retyped(variable, dtype) for variable in files.variables]
    with atomic_file(path) as partial:
        try:
            _write(files, wanted, partial, path, compress)
        except RuntimeError as error:
            # The HDF5 and NetCDF libraries raise this for errors of the operating system.
            raise OSError(error) from error
        _check_place(path, overwrite)
    columns = named_columns(wanted)
    notes = [_note([name for name, _, _ in columns]) if ending in _TEXT else ""]
    if files.left_out:
        notes.append(f"not in it is {listed(files.left_out)}")
    note = "; ".join(filter(None, notes))
    return Converted(path, len(files), len(columns), path.stat().st_size, note)


class _Writer(Protocol):
    def write(self, block: Mapping[str, NDArray[Any]]) -> None: ...

    def close(self) -> None: ...


def _write(files: RawFiles, wanted: list[Variable], part: Path, path: Path, compress: bool) -> None:
    writer = _writer(files, wanted, part, _ending(path), compress)
    try:
        done = 0
        for block in files.blocks():
            typed = {v.name: _typed(block[v.name], v, done) for v in wanted}
            writer.write(typed)
            done += len(typed[wanted[0].name])
            report_work(f"writing {path.name}", done, len(files), "rows")
    finally:
        writer.close()


def _writer(
    files: RawFiles, variables: list[Variable], part: Path, ending: str, compress: bool
) -> _Writer:
    if ending in _HDF5:
        from matexapps.data.hdf5.write import Hdf5Writer

        return Hdf5Writer(part, variables, len(files), files.attributes, compress=compress)
    if ending in _NETCDF:
        from matexapps.data.netcdf.write import NetcdfWriter

        return NetcdfWriter(part, variables, len(files), files.attributes, compress=compress)
    from matexapps.data.csv.write import CsvWriter

    delimiter = _DELIMITERS[ending.removesuffix(".gz")]
    return CsvWriter(part, variables, delimiter=delimiter, compress=ending.endswith(".gz"))


def _ending(path: Path) -> str:
    known = (*_HDF5, *_NETCDF, *_TEXT)
    name = path.name.lower()
    endings = [ending for ending in known if name.endswith(ending)]
    if not endings:
        raise DataError(
            f"{path}: files can be written whose names end in {', '.join(known)}"
            f"{did_you_mean(path.suffix.lower(), known)}"
        )
    return endings[0]


def _check_place(path: Path, overwrite: bool) -> None:
    if not path.parent.is_dir():
        raise DataError(f"there is no folder {path.parent} to write {path.name} into: make it")
    if path.is_dir():
        raise DataError(f"{path} is a folder: give the name of a file")
    if path.exists() and not overwrite:
        raise DataError(f"{path} exists already: choose another name, or allow it with --overwrite")


def _retyped(variable: Variable, dtype: str | None) -> Variable:
    if dtype is None or variable.is_text:
        return variable
    return replace(variable, dtype=np.dtype(dtype))


def _typed(values: NDArray[Any], variable: Variable, start: int) -> NDArray[Any]:
    """Return values in the type that is wanted; only floats may lose precision."""
    if variable.is_text:
        return _without_nul(values, variable, start)
    if values.dtype == variable.dtype:
        return values
    with np.errstate(over="ignore", invalid="ignore"):
        typed = values.astype(variable.dtype)
        if values.dtype.kind == variable.dtype.kind == "f":
            exact = np.isinf(typed) == np.isinf(values)
        else:
            # Both ways, because rounding may make a float equal to an integer that it is not.
            exact = (typed.astype(values.dtype) == values) & (typed == values)
    if not exact.all():
        index = tuple(np.argwhere(~exact)[0])
        raise DataError(
            f"{variable.name!r}, row {start + index[0]} (from 0): {values[index]} does not "
            f"fit into {variable.dtype}; choose another dtype"
        )
    return typed


def _without_nul(texts: NDArray[Any], variable: Variable, start: int) -> NDArray[Any]:
    for i, text in enumerate(texts):
        if "\0" in text:
            raise DataError(
                f"{variable.name!r}, row {start + i} (from 0): the text {text[:40]!r} holds the "
                "character of number 0, which ends a text in these formats; take it out"
            )
    return texts


def _note(columns: list[str]) -> str:
    """Return what a reader of this CSV file would get wrong without being told."""
    if len(columns) == 1:
        return "a text file of one column is not taken for CSV when it is read"
    for name in columns:
        try:
            float(name)
        except ValueError:
            continue
        return (
            f"the column {name!r} is called like a number, so that the first line looks like a "
            "row: read it with header=True"
        )
    return ""
