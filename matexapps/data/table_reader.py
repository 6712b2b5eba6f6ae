"""Reads rows out of a table: features, label, weight and key, as a schema asks for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matexapps.data.encoding import (
    category_names,
    check_known,
    numbers_of,
    one_hot,
    unknown_value,
)
from matexapps.data.missing import Missing, bad_value
from matexapps.data.reader import Reader
from matexapps.data.rows import RowNumbers, Rows
from matexapps.data.schema import Schema
from matexapps.data.several_files import joined
from matexapps.data.table import Table, Variable, named_columns, rows_in
from matexapps.errors import DataError, did_you_mean

_PIECE_BYTES = 32 * 2**20


@dataclass(frozen=True)
class _Place:
    """Where a column stands: its variable, and which column of it."""

    variable: Variable
    column: int


class TableReader(Reader):
    """Rows of a :class:`~matexapps.data.table.Table`.

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
        found = named_columns(table.variables)
        self._names = [name for name, _, _ in found]
        groups: dict[str, list[int]] = {}
        for position, (_, variable, _) in enumerate(found):
            groups.setdefault(variable.name, []).append(position)
        default = None if schema.features is not None else _only_matrix(table, groups)
        roles = schema.roles(self._names, str(self.path), groups, default)
        if not len(table):
            raise DataError(f"{self.path} holds no row")
        self._places = [_Place(variable, column) for _, variable, column in found]
        self._roles = roles
        self._check_roles()
        self._features = [self._places[i] for i in roles.features]
        sample = self._features[0].variable.shape
        self._is_array = len(sample) > 1
        self.sample_shape = sample if self._is_array else ()
        self.columns = self._feature_names()
        if not self._is_array:
            self.sample_shape = (len(self.columns),)
        self._plain_matrix = self._one_whole_matrix()
        self.weighted = roles.weight is not None
        used = [self._places[i] for i in (roles.label, roles.weight) if i is not None]
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
            else:
                self._fill_columns(target, piece)

    def _check_features(self, target: NDArray[np.float32], piece: _Piece) -> None:
        bad = self._missing.first_bad(target)
        if bad is not None:
            row, column = bad
            value = float(target.reshape(len(target), -1)[row, column])
            where = f"value {column}" if self._is_array else f"column {self.columns[column]!r}"
            raise self._fault(piece.row(row), where, bad_value(value))

    def _fill_columns(self, target: NDArray[np.float32], piece: _Piece) -> None:
        at = 0
        for position, place in zip(self._roles.features, self._features, strict=True):
            name = self._names[position]
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
            raise self._fault(piece.row(row), f"column {self._names[position]!r}", message)
        return numbers

    def _fill_numbers(self, target: NDArray[Any], position: int, piece: _Piece) -> None:
        place = self._places[position]
        if place.variable.is_text:
            values = piece.column(place)
            target[...] = numbers_of(values, self._classes or ())
            if (target < 0).any():
                row = int(np.argmax(target < 0))
                message = unknown_value(values[row], self._classes or (), "classes=")
                raise self._fault(piece.row(row), f"column {self._names[position]!r}", message)
        elif place.variable.shape:
            target[...] = piece.column(place)
        else:
            piece.read_into(target, place.variable)

    def _fault(self, row: int, where: str, message: str) -> DataError:
        return DataError(f"{self.path}, {self.locate(row)}, {where}: {message}")

    def _check_roles(self) -> None:
        roles = self._roles
        for name, known in self._categories.items():
            check_known(f"categories={{{name!r}: ...}}", known)
            if name not in [self._names[i] for i in roles.features]:
                raise DataError(
                    f"categories= names {name!r}, which is no feature"
                    f"{did_you_mean(name, [self._names[i] for i in roles.features])}"
                )
        arrays = [i for i in roles.features if len(self._places[i].variable.shape) > 1]
        if arrays and len(roles.features) > 1:
            names = ", ".join(repr(self._names[i]) for i in roles.features)
            raise DataError(
                f"{self.path}: {self._names[arrays[0]]!r} holds an array for each row, so it must "
                f"be the only feature, but the features are {names}: choose with features="
            )
        for role, position in (
            ("label", roles.label),
            ("weight", roles.weight),
            ("key", roles.key),
        ):
            if position is None:
                continue
            variable, name = self._places[position].variable, self._names[position]
            if len(variable.shape) > 1:
                raise DataError(
                    f"{self.path}: the {role} {name!r} is an array, not one value a row"
                )
            if role == "weight" and variable.is_text:
                raise DataError(f"{self.path}: the weight {name!r} holds text, not numbers")
            if role == "label" and variable.is_text and self._classes is None:
                raise DataError(
                    f"{self.path}: the label {name!r} holds text; name its values in the order of "
                    "their numbers with classes=(...)"
                )
        for i in roles.features:
            if self._places[i].variable.is_text and self._names[i] not in self._categories:
                raise DataError(
                    f"{self.path}: the column {self._names[i]!r} holds text; declare its values "
                    f"with categories={{{self._names[i]!r}: [...]}}, or leave it out of features="
                )

    def _feature_names(self) -> list[str]:
        names: list[str] = []
        for position in self._roles.features:
            name = self._names[position]
            known = self._categories.get(name)
            names.extend([name] if known is None else category_names(name, known))
        return names

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

    def column(self, place: _Place) -> NDArray[Any]:
        values = self._whole(place.variable.name)
        return values[:, place.column] if values.ndim == 2 else values

    def _whole(self, name: str) -> NDArray[Any]:
        if name not in self._read:
            pieces = [self._table.read(name, start, stop) for start, stop in self._ranges]
            self._read[name] = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
        return self._read[name]


def _only_matrix(table: Table, groups: Mapping[str, Sequence[int]]) -> Sequence[int] | None:
    """Return the columns of the only variable that is more than one value a row; None if none is.

    Raises
    ------
    DataError
        If several are.
    """
    wide = [v for v in table.variables if len(v.shape) > 1 or len(v.columns) > 1]
    if len(wide) > 1:
        held = ", ".join(f"{v.name} {v.shape} a row" for v in wide)
        raise DataError(
            f"{table.path} holds several arrays that may be the features: {held}; say which with "
            "features='its name'"
        )
    return groups[wide[0].name] if wide else None
