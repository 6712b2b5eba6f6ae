"""Reads rows from a table: features, label, weight and key, as a schema describes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matexapps.data.partition import RowNumbers
from matexapps.data.rows import Rows
from matexapps.data.schema.encoding import (
    encoded_names,
    missing_key,
    numbers_of,
    one_hot,
    unknown_value,
)
from matexapps.data.schema.missing import Missing, bad_value
from matexapps.data.schema.schema import Schema
from matexapps.data.schema.table_roles import TableColumn, table_roles
from matexapps.data.sources.reader import Reader
from matexapps.data.sources.several_files import joined
from matexapps.data.sources.table import Table, Variable, rows_in
from matexapps.errors import DataError

_PIECE_BYTES = 32 * 2**20


class TableReader(Reader):
    """Rows of a :class:`~matexapps.data.sources.table.Table`.

    Parameters
    ----------
    table : Table
        Closed with the reader.
    schema : Schema

    Raises
    ------
    DataError
        If a wanted column does not exist, or cannot play its role.
    """

    def __init__(self, table: Table, schema: Schema) -> None:
        self._table = table
        self.path, self.block_rows = table.path, table.block_rows
        self._missing = Missing.declared(schema.missing)
        self._classes = schema.classes
        self._categories = dict(schema.categories or {})
        self._columns, self._roles = table_columns, roles = table_roles(table, schema)
        self._features = [table_columns[i] for i in roles.features]
        self._is_array = self._features[0].is_array
        self.columns = encoded_names([c.name for c in self._features], self._categories)
        self.sample_shape = self._shape_of_sample()
        self._plain_matrix = self._single_matrix()
        self.weighted = roles.weight is not None
        used = [table_columns[i] for i in (roles.label, roles.weight) if i is not None]
        self.copied = self._plain_matrix is not None and all(
            table.is_copied(column.variable.name) for column in (*self._features, *used)
        )

    def __len__(self) -> int:
        return len(self._table)

    @property
    def row_bytes(self) -> int:
        weight = 0 if self._roles.weight is None else 8
        key = 0 if self._roles.key is None else 8
        return 4 * int(np.prod(self.sample_shape, dtype=np.int64)) + 8 + 8 + weight + key

    @property
    def used(self) -> list[Variable]:
        """The variables that a read uses, in the file's order."""
        roles = self._roles
        positions = {*roles.features, roles.label, roles.weight, roles.key} - {None}
        names = {self._columns[i].variable.name for i in positions if i is not None}
        return [variable for variable in self._table.variables if variable.name in names]

    def read(self, start: int = 0, stop: int | None = None) -> Rows:
        start, stop, _ = slice(start, stop).indices(len(self))
        stop = max(start, stop)
        step = rows_in(_PIECE_BYTES, self.row_bytes, self.block_rows)
        if stop - start <= step:
            return self._read_piece(start, stop)
        pieces = ((first, min(first + step, stop)) for first in range(start, stop, step))
        parts = ((self.path, self._read_piece(*piece)) for piece in pieces)
        return joined(stop - start, parts, start)

    def _read_piece(self, start: int, stop: int) -> Rows:
        piece = _Piece(self._table, [(start, stop)])
        features = np.empty((stop - start, *self.sample_shape), np.float32)
        self._fill_features(features, piece)
        self._check_features(features, piece)
        self._missing.to_nan(features)
        roles = self._roles
        label = self._numbers("label", roles.label, piece)
        weight = None if roles.weight is None else self._numbers("weight", roles.weight, piece)
        key = None if roles.key is None else self._key(roles.key, piece)
        return Rows(features, label, weight, np.arange(start, stop), self.columns, key)

    def read_again(
        self,
        ranges: Sequence[tuple[int, int]],
        features: NDArray[np.float32],
        label: NDArray[Any],
        weight: NDArray[np.float64] | None,
    ) -> None:
        piece = _Piece(self._table, ranges)
        self._fill_features(features, piece)
        self._missing.to_nan(features)
        self._fill_numbers(label, self._roles.label, piece)
        if weight is not None and self._roles.weight is not None:
            self._fill_numbers(weight, self._roles.weight, piece)

    def locate(self, row: int) -> str:
        return self._table.locate(row)

    def close(self) -> None:
        self._table.close()

    def _fill_features(self, target: NDArray[np.float32], piece: _Piece) -> None:
        matrix = self._plain_matrix
        with np.errstate(over="ignore"):
            if matrix is not None:
                piece.read_into(target.reshape(len(target), *matrix.shape), matrix)
            elif self._is_array:
                for channel, column in enumerate(self._features):
                    piece.read_into(target[:, channel], column.variable)
            else:
                self._fill_columns(target, piece)

    def _check_features(self, target: NDArray[np.float32], piece: _Piece) -> None:
        bad = self._missing.first_bad(target)
        if bad is not None:
            row, column = bad
            value = float(target.reshape(len(target), -1)[row, column])
            raise self._fault(piece.row(row), self._where(column), bad_value(value))

    def _where(self, column: int) -> str:
        if not self._is_array:
            return f"column {self.columns[column]!r}"
        if len(self.columns) == 1:
            return f"value {column}"
        size = int(np.prod(self._features[0].variable.shape, dtype=np.int64))
        return f"value {column % size} of {self.columns[column // size]!r}"

    def _fill_columns(self, target: NDArray[np.float32], piece: _Piece) -> None:
        at = 0
        for column in self._features:
            name = column.name
            values = piece.column(column)
            known = self._categories.get(name)
            if known is None:
                target[:, at] = values
                at += 1
                continue
            block, unknown = one_hot(values, known, empty_allowed=self._missing.nan)
            if unknown is not None:
                message = unknown_value(values[unknown], known, f"categories={{{name!r}: ...}}")
                raise self._fault(piece.row(unknown), f"column {name!r}", message)
            target[:, at : at + len(known)] = block
            at += len(known)

    def _numbers(self, role: str, position: int, piece: _Piece) -> NDArray[np.float64]:
        numbers = np.empty(piece.rows, np.float64)
        self._fill_numbers(numbers, position, piece)
        finite = np.isfinite(numbers)
        if not finite.all():
            row = int(np.argmin(finite))
            message = f"the {role} is {numbers[row]}; correct it or remove the row"
            raise self._fault(piece.row(row), f"column {self._columns[position].name!r}", message)
        return numbers

    def _fill_numbers(self, target: NDArray[Any], position: int, piece: _Piece) -> None:
        column = self._columns[position]
        if column.variable.is_text:
            values = piece.column(column)
            target[...] = numbers_of(values, self._classes or ())
            if (target < 0).any():
                row = int(np.argmax(target < 0))
                message = unknown_value(values[row], self._classes or (), "classes=")
                raise self._fault(piece.row(row), f"column {column.name!r}", message)
        elif column.variable.shape:
            target[...] = piece.column(column)
        else:
            piece.read_into(target, column.variable)

    def _key(self, position: int, piece: _Piece) -> NDArray[Any]:
        column = self._columns[position]
        key = piece.column(column)
        if column.variable.is_text and (key == "").any():
            row = piece.row(int(np.argmax(key == "")))
            raise self._fault(row, f"column {column.name!r}", missing_key(""))
        return key

    def _fault(self, row: int, where: str, message: str) -> DataError:
        return DataError(f"{self.path}, {self.locate(row)}, {where}: {message}")

    def _shape_of_sample(self) -> tuple[int, ...]:
        """Return the shape of one row's features; several arrays are channels, the first axis."""
        if not self._is_array:
            return (len(self.columns),)
        shape = self._features[0].variable.shape
        return shape if len(self._features) == 1 else (len(self._features), *shape)

    def _single_matrix(self) -> Variable | None:
        """Return the variable whose values are all the features, in order, or None."""
        variable = self._features[0].variable
        columns = [column.column for column in self._features if column.variable is variable]
        complete = columns == list(range(len(variable.columns)))
        if self._categories or len(columns) < len(self._features) or not complete:
            return None
        return variable


class _Piece:
    """Some ranges of rows; each variable is read once."""

    def __init__(self, table: Table, ranges: Sequence[tuple[int, int]]) -> None:
        self._table, self._ranges = table, ranges
        self._read: dict[str, NDArray[Any]] = {}

    @property
    def rows(self) -> int:
        return sum(stop - start for start, stop in self._ranges)

    def row(self, position: int) -> int:
        return int(RowNumbers(self._ranges)[np.array([position])][0])

    def read_into(self, target: NDArray[Any], variable: Variable) -> None:
        self._table.read_into(target, variable.name, self._ranges)

    def column(self, column: TableColumn) -> NDArray[Any]:
        values = self._values(column.variable)
        return values[:, column.column] if values.ndim == 2 else values

    def _values(self, variable: Variable) -> NDArray[Any]:
        name = variable.name
        if name not in self._read:
            if len(self._ranges) == 1:
                self._read[name] = self._table.read(name, *self._ranges[0])
            else:
                self._read[name] = np.empty((self.rows, *variable.shape), variable.dtype)
                self.read_into(self._read[name], variable)
        return self._read[name]
