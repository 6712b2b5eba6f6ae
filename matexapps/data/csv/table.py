"""Reads a CSV file as it is: every column, in the narrowest type that fits all its cells.

A column of integers is int64, or uint64 if only that holds them; one of numbers, or of integers
with empty cells, is float64, where an empty cell is NaN; any other column is text, including one
whose cells are all empty. :data:`matexapps.data.schema.encoding.EMPTY_TEXTS` lists what counts as
empty. Opening the file reads it once to determine the types; only one block of values is in memory
at a time.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from matexapps.data.csv.dialect import BROKEN_GZIP, Dialect, detect
from matexapps.data.csv.fault import records
from matexapps.data.schema.encoding import EMPTY_TEXTS
from matexapps.data.schema.schema import Schema
from matexapps.data.sources.table import BLOCK_BYTES, Variable
from matexapps.errors import DataError
from matexapps.progress import report_work

_EMPTY = pa.array(EMPTY_TEXTS, pa.string())
_NOTHING = pa.array([text for text in EMPTY_TEXTS if text.lower() != "nan"], pa.string())

# Each block has a cost for each column, which must stay small for wide files too.
_LEAST_ROWS = 64


class CsvTable:
    """The columns of a CSV file, each a variable of one value a row.

    Parameters
    ----------
    path : Path
        A text file, plain or gzip.
    schema : Schema
        Its ``delimiter``, ``header`` and ``columns`` override what
        :mod:`matexapps.data.csv.dialect` detects.

    Attributes
    ----------
    path : Path
    dialect : Dialect
    variables : list of Variable
        In the file's order.

    Raises
    ------
    DataError
        If the file is not text in columns; names the first row that is not.
    """

    def __init__(self, path: Path, schema: Schema) -> None:
        self.path = path
        self.dialect: Dialect = detect(path, schema)
        types = [_Type() for _ in self.dialect.names]
        self._length = 0
        for batch in self._batches([pa.string()] * len(types), "scanning"):
            self._length += batch.num_rows
            for column_type, texts in zip(types, batch.columns, strict=True):
                column_type.narrow(texts)
        self._types = [column_type.chosen for column_type in types]
        self.variables = [
            Variable(name, (name,), (), np.dtype(_DTYPES[kind]))
            for name, kind in zip(self.dialect.names, self._types, strict=True)
        ]

    def __len__(self) -> int:
        return self._length

    def blocks(self) -> Iterator[dict[str, NDArray[Any]]]:
        """Yield all rows in order, at least 1 MiB of the file at a time: arrays by column names."""
        for batch in self._batches(self._types, "reading"):
            yield {
                variable.name: column.to_numpy(zero_copy_only=False)
                for variable, column in zip(self.variables, batch.columns, strict=True)
            }

    def close(self) -> None:
        """Nothing stays open between blocks."""

    def _batches(self, types: list[Any], doing: str) -> Iterator[Any]:
        positions = [str(i) for i in range(len(types))]
        read = pa_csv.ReadOptions(
            column_names=positions,
            skip_rows=self.dialect.header_lines,
            block_size=max(BLOCK_BYTES, _LEAST_ROWS * self.dialect.first_line_bytes),
        )
        parse = pa_csv.ParseOptions(delimiter=self.dialect.delimiter, newlines_in_values=True)
        convert = pa_csv.ConvertOptions(
            column_types=dict(zip(positions, types, strict=True)),
            null_values=list(EMPTY_TEXTS),
            strings_can_be_null=False,
        )
        try:
            with pa.OSFile(str(self.path)) as file:
                size = file.size()
                stream = pa.CompressedInputStream(file, "gzip") if self.dialect.gzip else file
                for batch in pa_csv.open_csv(stream, read, parse, convert):
                    if batch.num_rows:
                        yield batch
                    report_work(f"{doing} {self.path.name}", file.tell(), size, "bytes")
        except (pa.ArrowException, OSError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            if "Empty CSV file" not in reason:
                raise self._fault(reason) from None

    def _fault(self, reason: str) -> DataError:
        """Return an error that names the first line that is not a row of this table."""
        line, width = 0, len(self.dialect.names)
        try:
            for line, cells, _ in records(self.path, self.dialect):
                if len(cells) != width:
                    return DataError(
                        f"{self.path}, row {line}: {len(cells)} columns instead of {width}; "
                        "correct or remove the row"
                    )
                if any("\udc80" <= c <= "\udcff" for cell in cells for c in cell):
                    return DataError(
                        f"{self.path}, row {line}: the text is not UTF-8: save the file as UTF-8"
                    )
        except BROKEN_GZIP:
            return DataError(
                f"{self.path}, row {line + 1}: the gzip stream breaks off here or shortly after; "
                "download or copy the file again"
            )
        except csv.Error as error:
            reason = f"row {line + 1}, {error}"
        return DataError(f"{self.path} cannot be read as CSV: {reason}; write it again")


class _Type:
    """Which types fit all cells of a column seen so far."""

    def __init__(self) -> None:
        self._possible = [pa.int64(), pa.uint64(), pa.float64()]
        self._has_number = False

    @property
    def chosen(self) -> Any:
        return self._possible[0] if self._possible and self._has_number else pa.string()

    def narrow(self, texts: Any) -> None:
        """Remove the types that do not fit these cells."""
        if not self._possible:
            return
        numbers = _cast(texts, pa.float64())
        if numbers is None:
            empty = pc.is_in(texts, value_set=_EMPTY)
            self._has_number |= not pc.all(pc.is_in(texts, value_set=_NOTHING)).as_py()
            texts = pc.utf8_trim(pc.filter(texts, pc.invert(empty)), characters=" \t")
            numbers = _cast(texts, pa.float64())
            if numbers is None:
                self._possible = []
                return
            if pc.any(empty).as_py():
                self._possible = [pa.float64()]
                return
        self._has_number = True
        self._possible = [
            kind
            for kind in self._possible
            if kind == pa.float64() or (_are_whole(numbers) and _cast(texts, kind) is not None)
        ]


def _cast(texts: Any, kind: Any) -> Any:
    """Return texts as numbers of a type, or None if one of them does not fit."""
    try:
        return texts.cast(kind)
    except pa.ArrowInvalid:
        return None


def _are_whole(numbers: Any) -> bool:
    values = numbers.to_numpy()
    return bool((values == np.floor(values)).all())


_DTYPES = {
    pa.int64(): np.int64,
    pa.uint64(): np.uint64,
    pa.float64(): np.float64,
    pa.string(): np.object_,
}
