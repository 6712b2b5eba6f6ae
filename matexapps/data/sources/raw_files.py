"""Files as they are: every variable in its own type, for any format and number of files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matexapps.data.csv.table import CsvTable
from matexapps.data.schema.schema import Schema
from matexapps.data.sources.formats import files_of, format_of, open_table
from matexapps.data.sources.probe import Probe
from matexapps.data.sources.source import resolve
from matexapps.data.sources.table import Table, Variable
from matexapps.errors import DataError


class RawFiles:
    """All rows of a source, before features and labels are chosen.

    Parameters
    ----------
    source : str or Path
        A file, a folder, a pattern, or a name of the catalog.
    schema : Schema
        How the files are written; what it leaves out is detected.

    Attributes
    ----------
    path : Path
        The file, folder or pattern.
    schema : Schema
        Completed by the catalog.
    paths : list of Path
        The files, in order.
    format : str
        CSV, HDF5, NetCDF, Parquet or one of a domain.
    variables : list of Variable
        In the first file's order; the type of each holds the values of all files.
    attributes : dict of variable name, or None, to dict
        What the first file says about each variable, and about itself for None.
    left_out : sequence of str
        What else the first file holds, in words.

    Raises
    ------
    DataError
        If a file cannot be read, or has other variables than the first one.
    """

    def __init__(self, source: str | Path, schema: Schema) -> None:
        self.path, self.schema = resolve(source, schema)
        self.paths = files_of(self.path)
        # A file with an unknown ending is refused below, with a suggestion.
        self.format = format_of(self.paths[0]) or ""
        self.variables: list[Variable] = []
        self.attributes: dict[str | None, dict[str, Any]] = {}
        self.left_out: Sequence[str] = ()
        self._texts: dict[Path, CsvTable] = {}
        self._rows = 0
        with Probe() as probe:
            for path in self.paths:
                probe.check(path, self.schema)
                with self._opened(path) as table:
                    self._add(path, table)

    def __len__(self) -> int:
        return self._rows

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(path.stat().st_size for path in self.paths)

    def blocks(self) -> Iterator[dict[str, NDArray[Any]]]:
        """Yield all rows in order, about a MiB at a time: the arrays by their variables' names."""
        for path in self.paths:
            with self._opened(path) as table:
                for block in table.blocks():
                    yield {
                        v.name: block[v.name].astype(v.dtype, copy=False) for v in self.variables
                    }

    @contextmanager
    def _opened(self, path: Path) -> Iterator[Table | CsvTable]:
        if format_of(path) == "CSV":
            if path not in self._texts:
                self._texts[path] = CsvTable(path, self.schema)
            yield self._texts[path]
            return
        table = open_table(path, self.schema)
        try:
            yield table
        finally:
            table.close()

    def _add(self, path: Path, table: Table | CsvTable) -> None:
        self._rows += len(table)
        if self.variables:
            self.variables = _common(self.variables, table.variables, path, self.paths[0])
            return
        self.variables = list(table.variables)
        if isinstance(table, Table):
            self.left_out = table.left_out
            names = [None, *(variable.name for variable in table.variables)]
            self.attributes = {name: table.attributes(name) for name in names}


def _common(
    variables: Sequence[Variable], others: Sequence[Variable], path: Path, first: Path
) -> list[Variable]:
    """Return the variables of files that are read as one."""
    ours = {variable.name: variable for variable in variables}
    theirs = {variable.name: variable for variable in others}
    for name in (*ours, *theirs):
        if name not in theirs or name not in ours:
            how = f"it has no {name!r}" if name not in theirs else f"it has {name!r} more"
            raise DataError(f"{path} does not have the variables of {first}: {how}")
        known, other = ours[name], theirs[name]
        if any(getattr(known, a) != getattr(other, a) for a in ("columns", "shape", "is_text")):
            raise DataError(
                f"{path}: {name!r} is {described(other)}, but {described(known)} in the files "
                "before it; write it the same way in all files"
            )
    return [
        replace(variable, dtype=np.result_type(variable.dtype, theirs[variable.name].dtype))
        for variable in variables
    ]


def described(variable: Variable) -> str:
    """Return type and shape of a variable, as in ``float32, 28 x 28 a row``."""
    kind = "text" if variable.is_text else str(variable.dtype)
    shape = " x ".join(map(str, variable.shape))
    return f"{kind}, {shape} a row" if shape else kind


def listed(names: Sequence[str], most: int = 6) -> str:
    """Return names for a message: only the first few if there are many."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
