"""Reads rows out of a table: features, label, weight and key, as a schema asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matexapps.data.partition import RowNumbers
from matexapps.data.rows import Rows
from matexapps.data.schema.encoding import category_names, numbers_of, one_hot, unknown_value
from matexapps.data.schema.missing import Missing, bad_value
from matexapps.data.schema.schema import Schema
from matexapps.data.schema.table_roles import Place, table_roles
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
        If a wanted column is not there, or cannot play its part.
    """

    def __init__(self, table: Table, schema: Schema) -> None:
        self._table = table
        self.path, self.block_rows = table.path, table.block_rows
        self._missing = Missing.declared(schema.missing)
        self._classes = schema.classes
        self._categories = dict(schema.categories or {})
        self._places, self._roles = places, roles = table_roles(table, schema)
        self._features = [places[i] for i in roles.features]
        self._is_array = self._features[0].is_array
        self.columns = self._feature_names()
        self.sample_shape = self._shape_of_sample()
        self._plain_matrix = self._one_whole_matrix()
        self.weighted = roles.weight is not None
        used = [places[i] for i in (roles.label, roles.weight) if i is not None]
        self.copied = self._plain_matrix is not None and all(
            table.is_copied(place.variable.name) for place in (*self._features, *used)
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
        """The variables that a read touches, in the file's order."""
        roles = self._roles
        positions = {*roles.features, roles.label, roles.weight, roles.key} - {None}
        names = {self._places[i].variable.name for i in positions if i is not None}
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
        key = None if roles.key is None else piece.column(self._places[roles.key])
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
        whole = self._plain_matrix
        with np.errstate(over="ignore"):
            if whole is not None:
                piece.read_into(target.reshape(len(target), *whole.shape), whole)
            elif self._is_array:
                for channel, place in enumerate(self._features):
                    piece.read_into(target[:, channel], place.variable)
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
        for place in self._features:
            name = place.name
            values = piece.column(place)
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
            raise self._fault(piece.row(row), f"column {self._places[position].name!r}", message)
        return numbers

    def _fill_numbers(self, target: NDArray[Any], position: int, piece: _Piece) -> None:
        place = self._places[position]
        if place.variable.is_text:
            values = piece.column(place)
            target[...] = numbers_of(values, self._classes or ())
            if (target < 0).any():
                row = int(np.argmax(target < 0))
                message = unknown_value(values[row], self._classes or (), "classes=")
                raise self._fault(piece.row(row), f"column {place.name!r}", message)
        elif place.variable.shape:
            target[...] = piece.column(place)
        else:
            piece.read_into(target, place.variable)

    def _fault(self, row: int, where: str, message: str) -> DataError:
        return DataError(f"{self.path}, {self.locate(row)}, {where}: {message}")

    def _feature_names(self) -> list[str]:
        names: list[str] = []
        for place in self._features:
            known = self._categories.get(place.name)
            names.extend([place.name] if known is None else category_names(place.name, known))
        return names

    def _shape_of_sample(self) -> tuple[int, ...]:
        """Return the shape of one row's features; several arrays are channels, the first axis."""
        if not self._is_array:
            return (len(self.columns),)
        shape = self._features[0].variable.shape
        return shape if len(self._features) == 1 else (len(self._features), *shape)

    def _one_whole_matrix(self) -> Variable | None:
        """Return the variable whose values, as they stand, are the features; None if not one."""
        variable = self._features[0].variable
        columns = [place.column for place in self._features if place.variable is variable]
        whole = columns == list(range(len(variable.columns)))
        if self._categories or len(columns) < len(self._features) or not whole:
            return None
        return variable


class _Piece:
    """Some ranges of rows; each variable is read from the file once."""

    def __init__(self, table: Table, ranges: Sequence[tuple[int, int]]) -> None:
        self._table, self._ranges = table, ranges
        self._read: dict[str, NDArray[Any]] = {}

    @property
    def rows(self) -> int:
        return sum(stop - start for start, stop in self._ranges)

    def row(self, place: int) -> int:
        return int(RowNumbers(self._ranges)[np.array([place])][0])

    def read_into(self, target: NDArray[Any], variable: Variable) -> None:
        self._table.read_into(target, variable.name, self._ranges)

    def column(self, place: Place) -> NDArray[Any]:
        values = self._whole(place.variable.name)
        return values[:, place.column] if values.ndim == 2 else values

    def _whole(self, name: str) -> NDArray[Any]:
        if name not in self._read:
            pieces = [self._table.read(name, start, stop) for start, stop in self._ranges]
            self._read[name] = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
        return self._read[name]
