"""How a user asks for a split, and which requests are errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from matexapps.data.schema.schema import KINDS, Column
from matexapps.data.sources.source import absolute
from matexapps.errors import DataError, did_you_mean

PARTS = ("train", "validation", "test")
VALIDATION_SHARE, TEST_SHARE = 0.1, 0.2
"""Fractions that a DataSet takes by default."""


@dataclass(frozen=True)
class Split:
    """How rows become training, validation and test.

    Attributes
    ----------
    kind : {"random", "stratified", "group", "time"} or the name of a column
    validation, test : float or path
        A fraction of the rows, or a file of its own.
    parts : mapping of part to value or values, or None
        What the column that is the kind calls the parts.
    seed : int
    group, time : column name or position, or None
        The column that the kind of this name goes by; None takes the column of that name.

    Raises
    ------
    DataError
        If these do not describe a split.
    """

    kind: str = "random"
    validation: float | str | Path = VALIDATION_SHARE
    test: float | str | Path = TEST_SHARE
    parts: Mapping[str, Any] | None = None
    seed: int = 0
    group: Column | None = None
    time: Column | None = None

    def __post_init__(self) -> None:
        check_split(self.kind, self.validation, self.test, self.seed)
        _check_parts(self.parts, self.kind)
        for name, column in (("group", self.group), ("time", self.time)):
            if column is not None and self.kind != name:
                raise DataError(
                    f"{name}={column!r} is for split={name!r}, but split is {self.kind!r}: set "
                    f"split={name!r}, or leave {name}= out"
                )

    @property
    def column(self) -> Column | None:
        """The column that decides the split, None where none does."""
        if self.kind in ("random", "stratified"):
            return None
        chosen = {"group": self.group, "time": self.time}.get(self.kind)
        return self.kind if chosen is None else chosen

    @property
    def files(self) -> dict[str, str | Path]:
        """The parts that are files of their own."""
        parts = (("validation", self.validation), ("test", self.test))
        return {name: value for name, value in parts if isinstance(value, str | Path)}

    def from_anywhere(self) -> Split:
        """Return this split with absolute paths."""
        return replace(self, validation=absolute(self.validation), test=absolute(self.test))


def check_split(
    kind: str, validation: float | str | Path, test: float | str | Path, seed: int
) -> None:
    """Raise a DataError unless these settings describe a split; paths count as no fraction."""
    if not isinstance(kind, str) or not kind:
        raise DataError(f"split={kind!r} is not a name: use {', '.join(KINDS)}, or a column's name")
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise DataError(f"seed={seed!r} is not a seed: use an integer of at least 0")
    fractions = {"validation": fraction(validation), "test": fraction(test)}
    for name, value in fractions.items():
        if not 0 <= value < 1:
            raise DataError(f"{name}={value} is not a fraction: use 0 or more, but less than 1")
    if sum(as_written(value) for value in fractions.values()) >= 1:
        raise DataError(f"validation={validation} and test={test} leave no rows to train on")


def fraction(part: float | str | Path) -> float:
    """Return the fraction of rows that a part takes: 0 where it is a file of its own.

    Raises
    ------
    DataError
        If it is neither a number nor a path.
    """
    if isinstance(part, str | Path):
        return 0.0
    try:
        return float(part)
    except (TypeError, ValueError):
        raise DataError(
            f"validation= and test= are fractions of the rows, or files: got {part!r}; 0 is none"
        ) from None


def as_written(value: float) -> Fraction:
    """Return a number as exactly the decimal that its user wrote."""
    return Fraction(repr(value))


def _check_parts(values: Mapping[str, Any] | None, kind: str) -> None:
    if values is None:
        return
    if not isinstance(values, Mapping):
        raise DataError(
            f"parts={values!r} names no parts: write parts={{'train': ..., 'test': ...}}"
        )
    if kind in KINDS:
        raise DataError(
            f"parts= says what a column calls the parts, but split={kind!r} does not use a column: "
            "give split= its name"
        )
    for name in values:
        if name not in PARTS:
            raise DataError(f"parts= names {name!r}{did_you_mean(name, PARTS)}; use {PARTS}")
