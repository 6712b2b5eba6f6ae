"""Reads a CSV file as it stands: every column, of the narrowest type that all of its cells have.

A column of whole numbers is int64, or uint64 where only that holds them; one of numbers, or of
whole numbers with empty cells, is float64, where an empty cell is NaN; any other column is text,
and so is one in which no cell holds anything. Which cells count as empty stands in
:data:`matexapps.data.schema.encoding.EMPTY_TEXTS`. To know the types, the whole file is looked
through when it is opened; values are never held but a block at a time.
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

# Each block costs something for each column, which has to pay for wide files too.
_LEAST_ROWS = 64


class CsvTable:
    """The columns of a CSV file, each a variable of one value a row.

    Parameters
    ----------
    path : Path
        A text file, plain or gzip.
    schema : Schema
        Its ``delimiter``, ``header`` and ``columns`` say how the file is written, where
        :mod:`matexapps.data.csv.dialect` should not find out.

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
        found = [_Type() for _ in self.dialect.names]
        self._length = 0
        for batch in self._batches([pa.string()] * len(found), "looking through"):
            self._length += batch.num_rows
            for one, texts in zip(found, batch.columns, strict=True):
                one.narrow(texts)
        self._types = [one.chosen for one in found]
        self.variables = [
            Variable(name, (name,), (), np.dtype(_DTYPES[kind]))
            for name, kind in zip(self.dialect.names, self._types, strict=True)
        ]

    def __len__(self) -> int:
        return self._length

    def blocks(self) -> Iterator[dict[str, NDArray[Any]]]:
        """Yield all rows in order, a MiB of the file or more at a time: arrays by column names."""
        for batch in self._batches(self._types, "reading"):
            yield {
                variable.name: column.to_numpy(zero_copy_only=False)
                for variable, column in zip(self.variables, batch.columns, strict=True)
            }

    def close(self) -> None:
        """Nothing is held open between blocks."""

    def _batches(self, types: list[Any], doing: str) -> Iterator[Any]:
        places = [str(i) for i in range(len(types))]
        read = pa_csv.ReadOptions(
            column_names=places,
            skip_rows=self.dialect.header_lines,
            block_size=max(BLOCK_BYTES, _LEAST_ROWS * self.dialect.first_line_bytes),
        )
        parse = pa_csv.ParseOptions(delimiter=self.dialect.delimiter, newlines_in_values=True)
        convert = pa_csv.ConvertOptions(
            column_types=dict(zip(places, types, strict=True)),
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
                    self._report(doing, file.tell(), size)
        except (pa.ArrowException, OSError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            if "Empty CSV file" not in reason:
                raise self._fault(reason) from None

    def _fault(self, reason: str) -> DataError:
        """Return an error that names the first row which is no row of this table."""
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
                "fetch or copy the file again"
            )
        except csv.Error as error:
            reason = f"row {line + 1}, {error}"
        return DataError(f"{self.path} cannot be read as CSV: {reason}; write it again")

    def _report(self, doing: str, done: int, total: int) -> None:
        report_work(f"{doing} {self.path.name}", done, total, "bytes")


class _Type:
    """Which types all cells of a column have, as far as they have been seen."""

    def __init__(self) -> None:
        self._possible = [pa.int64(), pa.uint64(), pa.float64()]
        self._has_number = False

    @property
    def chosen(self) -> Any:
        return self._possible[0] if self._possible and self._has_number else pa.string()

    def narrow(self, texts: Any) -> None:
        """Strike the types that these cells do not have."""
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
    """Return texts as numbers of a type, None if one of them is none."""
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
