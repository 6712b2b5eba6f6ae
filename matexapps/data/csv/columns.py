"""What is read from a CSV file, and how parsed columns become row-major blocks of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from matexapps.data.schema.encoding import EMPTY_TEXTS, check_declared, encoded_names, one_hot
from matexapps.data.schema.missing import Missing
from matexapps.data.schema.schema import Schema

_EMPTY = pa.array(EMPTY_TEXTS, pa.string())
_KEY_TYPES = (pa.int64(), pa.float64())
KEY_DTYPES = (np.int64, np.float64, np.object_)
TEXT_KEY = 2


class RefusedError(Exception):
    """A batch holds a value that cannot be used."""


@dataclass(frozen=True)
class Block:
    """Some rows, in the file's order, checked.

    Attributes
    ----------
    features : ndarray of float32, shape (rows, columns)
        NaN where a missing value was declared.
    label : ndarray of float64, shape (rows,)
    weight : ndarray of float64, shape (rows,), or None
    key : pyarrow array of text, or None
        Still text: only the end of the column shows whether all of it is numbers.
    """

    features: NDArray[np.float32]
    label: NDArray[np.float64]
    weight: NDArray[np.float64] | None
    key: Any

    def __len__(self) -> int:
        return len(self.label)


class CsvColumns:
    """The wanted columns of one file. A column is identified by its position, from 0.

    Parameters
    ----------
    names : list of str
        All columns of the file.
    schema : Schema
    file : str
        What messages call the file.

    Attributes
    ----------
    features : list of str
        Names of the feature columns; a category's columns are called ``column=value``.
    used : list of int
        Columns that are read, ascending.

    Raises
    ------
    DataError
        If a wanted column does not exist.
    """

    def __init__(self, names: list[str], schema: Schema, file: str) -> None:
        self.names = names
        self.roles = schema.roles(names, file)
        self.missing = Missing.declared(schema.missing)
        self.classes = None if schema.classes is None else list(schema.classes)
        features, categories = [names[i] for i in self.roles.features], schema.categories or {}
        check_declared(categories, features)
        self.categories = {names.index(name): known for name, known in categories.items()}
        self.features = encoded_names(features, categories)
        self._featured = frozenset(self.roles.features)
        others = (self.roles.label, self.roles.weight, self.roles.key)
        self.used = sorted(self._featured | {i for i in others if i is not None})
        self._texts = {i for i in self.used if i == self.roles.key or not self.holds_number(i)}
        self._plain = not self.categories and not self._texts.intersection(self.roles.features)

    @property
    def types(self) -> dict[str, Any]:
        """The pyarrow type in which each column is parsed, by its position as text."""
        roles = self.roles
        exact = {roles.label, roles.weight, *self.categories}
        types = {}
        for i in self.used:
            number = pa.float64() if i in exact else pa.float32()
            types[str(i)] = pa.string() if i in self._texts else number
        return types

    def holds_number(self, column: int) -> bool:
        """Whether every cell of a column has to be a number."""
        if column in self.categories:
            return not any(isinstance(value, str) for value in self.categories[column])
        if column == self.roles.label:
            return self.classes is None
        return column == self.roles.weight or self.is_feature(column)

    def is_feature(self, column: int) -> bool:
        """Whether a column is among the features."""
        return column in self._featured

    def block(self, batch: Any) -> Block:
        """Return a parsed batch as a block.

        Raises
        ------
        RefusedError, pyarrow.ArrowException
            If a value cannot be used.
        """
        roles = self.roles
        with np.errstate(over="ignore"):
            features = self._features(batch)
        if self.missing.first_bad(features) is not None:
            raise RefusedError("a feature cannot be used")
        self.missing.to_nan(features)
        label = self._label(batch)
        weight = None if roles.weight is None else self._numbers(batch, roles.weight)
        for values in (label, weight):
            if values is not None and not np.isfinite(values).all():
                raise RefusedError("a label or weight cannot be used")
        return Block(features, label, weight, None if roles.key is None else self._key(batch))

    def _features(self, batch: Any) -> NDArray[np.float32]:
        roles = self.roles
        if self._plain:
            wanted = batch.select([str(i) for i in roles.features])
            numbers = wanted.to_tensor(null_to_nan=True, row_major=True).to_numpy()
            return numbers.astype(np.float32, copy=False)
        features = np.empty((batch.num_rows, len(self.features)), np.float32)
        at = 0
        for i in roles.features:
            known = self.categories.get(i)
            if known is None:
                features[:, at] = self._numbers(batch, i)
                at += 1
                continue
            number = self.holds_number(i)
            values = self._numbers(batch, i) if number else _objects(batch.column(str(i)))
            columns, unknown = one_hot(values, known, empty_allowed=self.missing.nan)
            if unknown is not None:
                raise RefusedError("an unknown category")
            features[:, at : at + len(known)] = columns
            at += len(known)
        return features

    def _label(self, batch: Any) -> NDArray[np.float64]:
        if self.classes is None:
            return self._numbers(batch, self.roles.label).astype(np.float64)
        texts = batch.column(str(self.roles.label))
        numbers = pc.index_in(texts, value_set=pa.array(self.classes, pa.string()))
        return numbers.to_numpy(zero_copy_only=False).astype(np.float64)

    def _numbers(self, batch: Any, column: int) -> NDArray[Any]:
        values = batch.column(str(column))
        if column in self._texts:
            trimmed = pc.utf8_trim_whitespace(values)
            empty = pc.is_in(trimmed, value_set=_EMPTY)
            values = pc.cast(pc.if_else(empty, pa.scalar(None, pa.string()), trimmed), pa.float64())
        return values.to_numpy(zero_copy_only=False)

    def _key(self, batch: Any) -> Any:
        texts = batch.column(str(self.roles.key))
        empty = pc.is_in(pc.utf8_trim_whitespace(texts), value_set=_EMPTY)
        if pc.any(empty).as_py():
            raise RefusedError("an empty key")
        return texts


def key_type(texts: Sequence[Any]) -> int:
    """Return the type of a key column: the first, from 0, that fits all texts."""
    return max((_least(part) for part in texts), default=0)


def key_values(texts: Any, kind: int) -> NDArray[Any] | None:
    """Return the texts of a key as integers (0), numbers (1) or text; None if they do not fit."""
    if kind == TEXT_KEY:
        return _objects(texts)
    try:
        numbers = pc.cast(pc.utf8_trim_whitespace(texts), _KEY_TYPES[kind])
    except pa.ArrowInvalid:
        return None
    values = numbers.to_numpy(zero_copy_only=False)
    return values if np.isfinite(values).all() else None


def _least(texts: Any) -> int:
    kinds = range(len(_KEY_TYPES))
    return next((kind for kind in kinds if key_values(texts, kind) is not None), TEXT_KEY)


def _objects(texts: Any) -> NDArray[np.object_]:
    return np.asarray(texts.to_numpy(zero_copy_only=False), dtype=object)
