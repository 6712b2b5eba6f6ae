"""Writes CSV and TSV, plain or gzip: one line for the names, then one for each row.

A number has enough digits to distinguish it from its neighbors in its own type, so that reading the
file in that type gives the same number; an integral float keeps its ``.0``. NaN is written as
``nan``, infinity as ``inf``, and True and False as 1 and 0. A text is quoted where necessary.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from matexapps.data.csv.dialect import DELIMITERS
from matexapps.data.sources.raw_files import described
from matexapps.data.sources.table import Variable, named_columns
from matexapps.errors import DataError

# Text takes several times the memory of the numbers in it.
_ROWS_AT_ONCE = 8192


class CsvWriter:
    """A CSV file that is written in blocks of rows.

    Parameters
    ----------
    path : Path
    variables : sequence of Variable
        Each with one value or several columns a row.
    delimiter : str
    compress : bool
        Whether to write gzip.

    Raises
    ------
    DataError
        If a variable is an array that does not fit into a cell.
    """

    def __init__(
        self, path: Path, variables: Sequence[Variable], *, delimiter: str, compress: bool
    ) -> None:
        wide = next((variable for variable in variables if len(variable.shape) > 1), None)
        if wide is not None:
            raise DataError(
                f"{wide.name!r} is {described(wide)}, which has no place in the cells of a CSV "
                "file: convert to .h5 or .nc"
            )
        self._columns = named_columns(variables)
        self._delimiter = delimiter
        self._quoted = f'[{re.escape(delimiter)}"\r\n]'
        self._file = pa.CompressedOutputStream(str(path), "gzip") if compress else path.open("wb")
        self._file.write(_header([name for name, _, _ in self._columns], delimiter).encode())

    def write(self, block: Mapping[str, NDArray[Any]]) -> None:
        """Add rows: the arrays of all variables by name."""
        for start in range(0, len(block[self._columns[0][1].name]), _ROWS_AT_ONCE):
            cells = []
            for _, variable, i in self._columns:
                values = block[variable.name][start : start + _ROWS_AT_ONCE]
                cells.append(self._cells(values[:, i] if variable.shape else values))
            lines = pc.binary_join_element_wise(*cells, self._delimiter)
            self._file.write(("\n".join(lines.to_pylist()) + "\n").encode())

    def close(self) -> None:
        """Finish the file."""
        self._file.close()

    def _cells(self, values: NDArray[Any]) -> Any:
        if values.dtype.kind == "O":
            texts = pa.array(values, pa.string())
            quoted = pc.binary_join_element_wise(
                '"', pc.replace_substring(texts, '"', '""'), '"', ""
            )
            return pc.if_else(pc.match_substring_regex(texts, self._quoted), quoted, texts)
        if values.dtype.kind == "b":
            values = values.astype(np.uint8)
        if values.dtype == np.float16:
            values = values.astype(np.float32)
        texts = pc.cast(pa.array(np.ascontiguousarray(values)), pa.string())
        if values.dtype.kind == "f" and (values == np.floor(values)).any():
            integers = pc.match_substring_regex(texts, "^-?[0-9]+$")
            return pc.if_else(integers, pc.binary_join_element_wise(texts, ".0", ""), texts)
        return texts


def _header(names: Sequence[str], delimiter: str) -> str:
    # Detection would count a delimiter in a name, and a line that begins with # is a comment.
    risky = any(character in name for name in names for character in (*DELIMITERS, "#"))
    line = io.StringIO()
    writer = csv.writer(
        line,
        delimiter=delimiter,
        quoting=csv.QUOTE_ALL if risky else csv.QUOTE_MINIMAL,
        lineterminator="\n",
    )
    writer.writerow(names)
    return line.getvalue()
