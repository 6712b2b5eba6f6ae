"""Reads CSV and TSV, plain or gzip: pyarrow parses, whole columns at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from matexapps.data.csv_dialect import Dialect, detect
from matexapps.data.csv_fault import EMPTY, find_fault, records
from matexapps.data.missing import Missing
from matexapps.data.reader import Reader
from matexapps.data.rows import Rows
from matexapps.data.schema import Roles, Schema
from matexapps.errors import DataError
from matexapps.progress import report

_BLOCK_BYTES = 2**20


class CsvReader(Reader):
    """Rows of a CSV file. The file is parsed once, on the first use, and then held.

    Parameters
    ----------
    path : Path
        A text file, plain or gzip.
    schema : Schema
        Which columns are wanted; what it leaves open is found out by the rules of
        :mod:`matexapps.data.csv_dialect`.

    Raises
    ------
    DataError
        If the file is not text in columns, or a wanted column is not there.
    """

    def __init__(self, path: Path, schema: Schema) -> None:
        self.path = path
        self._dialect = detect(path, schema)
        self._roles = schema.roles(self._dialect.names, str(path))
        self._missing = Missing.declared(schema.missing)
        self._classes = None if schema.classes is None else list(schema.classes)
        self._rows: Rows | None = None
        self.columns = [self._dialect.names[i] for i in self._roles.features]
        self.sample_shape = (len(self.columns),)
        self.by_row = False

    @property
    def row_bytes(self) -> int:
        return 4 * len(self.columns) + 8 + 8 + (0 if self._roles.weight is None else 8)

    def __len__(self) -> int:
        return len(self._parsed())

    def read(self, start: int = 0, stop: int | None = None) -> Rows:
        return self._parsed().take(slice(start, stop))

    def locate(self, row: int) -> str:
        for number, (line, _, _) in enumerate(records(self.path, self._dialect)):
            if number == row:
                return f"row {line}"
        raise IndexError(row)

    def close(self) -> None:
        self._rows = None

    def _parsed(self) -> Rows:
        if self._rows is None:
            self._rows = self._parse()
        return self._rows

    def _parse(self) -> Rows:
        collected = _Collected(self._roles, self._missing, self._classes)
        refusal = ""
        try:
            for batch in self._batches():
                if not collected.add(batch):
                    refusal = "a value cannot be used"
                    break
        except (pa.ArrowException, OSError) as error:
            refusal = str(error).splitlines()[0]
        if refusal:
            fault = find_fault(
                self.path,
                self._dialect,
                self._roles,
                self._missing,
                self._classes,
                good=collected.count,
            )
            if fault is not None:
                raise fault
        if not collected.count and next(records(self.path, self._dialect), None) is None:
            raise DataError(f"{self.path} holds a header and no row")
        if refusal:
            raise DataError(f"{self.path} cannot be read as CSV: {refusal}")
        rows = collected.rows(self.columns)
        self._missing.to_nan(rows.features)
        return rows

    def _batches(self) -> Any:
        """Yield record batches of the wanted columns; a column is called by its position."""
        dialect, roles = self._dialect, self._roles
        used = sorted({*roles.numbers, roles.label})
        types = {str(i): pa.float32() for i in roles.features}
        types |= {str(i): pa.float64() for i in (roles.label, roles.weight) if i is not None}
        if self._classes is not None:
            types[str(roles.label)] = pa.string()
        with pa.OSFile(str(self.path)) as raw:
            stream = pa.CompressedInputStream(raw, "gzip") if dialect.gzip else raw
            try:
                reader = pa_csv.open_csv(stream, *_options(dialect, used, types))
            except pa.ArrowInvalid as error:
                if "Empty CSV file" in str(error):
                    return
                raise
            size = raw.size()
            for batch in reader:
                yield batch
                report(
                    {
                        "kind": "work",
                        "rank": 0,
                        "world_size": 1,
                        "what": f"reading {self.path.name}",
                        "done": raw.tell(),
                        "total": size,
                        "unit": "bytes",
                    }
                )


def _options(dialect: Dialect, used: list[int], types: dict[str, Any]) -> tuple[Any, Any, Any]:
    return (
        pa_csv.ReadOptions(
            column_names=[str(i) for i in range(len(dialect.names))],
            skip_rows=dialect.header_lines,
            block_size=max(_BLOCK_BYTES, 8 * dialect.first_line_bytes),
        ),
        pa_csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True),
        pa_csv.ConvertOptions(
            column_types=types,
            include_columns=[str(i) for i in used],
            null_values=list(EMPTY),
            strings_can_be_null=False,
        ),
    )


class _Collected:
    """Gathers batches as row-major blocks of float32."""

    def __init__(self, roles: Roles, missing: Missing, classes: list[str] | None) -> None:
        self.count = 0
        self._roles, self._missing, self._classes = roles, missing, classes
        self._features: list[NDArray[np.float32]] = []
        self._label: list[NDArray[np.float64]] = []
        self._weight: list[NDArray[np.float64]] = []

    def add(self, batch: Any) -> bool:
        """Take one batch; False if a value in it cannot be used."""
        roles = self._roles
        block = np.empty((batch.num_rows, len(roles.features)), np.float32)
        for k, column in enumerate(roles.features):
            block[:, k] = batch.column(str(column)).to_numpy(zero_copy_only=False)
        label = batch.column(str(roles.label))
        if self._classes is not None:
            label = pc.index_in(label, value_set=pa.array(self._classes, pa.string()))
        columns = [label.to_numpy(zero_copy_only=False).astype(np.float64)]
        if roles.weight is not None:
            columns.append(batch.column(str(roles.weight)).to_numpy(zero_copy_only=False))
        if self._missing.first_bad(block) or not all(np.isfinite(c).all() for c in columns):
            return False
        self.count += batch.num_rows
        self._features.append(block)
        self._label.append(columns[0])
        self._weight.extend(columns[1:])
        return True

    def rows(self, columns: list[str]) -> Rows:
        """Return everything gathered, and let go of the blocks."""
        rows = Rows(
            features=np.concatenate(self._features),
            label=np.concatenate(self._label),
            weight=np.concatenate(self._weight) if self._weight else None,
            ids=np.arange(self.count, dtype=np.int64),
            columns=columns,
        )
        self._features.clear()
        return rows
