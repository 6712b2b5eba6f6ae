"""What a user says about a split, and what of it cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from matexapps.data.schema.schema import KINDS, Column
from matexapps.errors import DataError, did_you_mean

PARTS = ("train", "validation", "test")
VALIDATION_SHARE, TEST_SHARE = 0.1, 0.2
"""What a DataSet takes where nothing else is said."""


def check_split(
    kind: str, validation: float | str | Path, test: float | str | Path, seed: int
) -> None:
    """Raise a DataError unless these settings describe a split; paths count as no fraction."""
    if not isinstance(kind, str) or not kind:
        raise DataError(f"split={kind!r} is no name: use {', '.join(KINDS)}, or a column's name")
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise DataError(f"seed={seed!r} is no seed: use a whole number, zero or above")
    fractions = {"validation": fraction(validation), "test": fraction(test)}
    for name, value in fractions.items():
        if not 0 <= value < 1:
            raise DataError(f"{name}={value} is not a fraction: use 0 or more, but less than 1")
    if sum(as_written(value) for value in fractions.values()) >= 1:
        raise DataError(f"validation={validation} and test={test} leave no rows to train on")


def fraction(part: float | str | Path) -> float:
    """Return the fraction of rows that a part takes: none where it is a file of its own.

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


def check_parts(values: Mapping[str, Any] | None, kind: str) -> None:
    """Raise a DataError unless a ``parts=`` setting says what a column calls the parts."""
    if values is None:
        return
    if not isinstance(values, Mapping):
        raise DataError(
            f"parts={values!r} names no parts: write parts={{'train': ..., 'test': ...}}"
        )
    if kind in KINDS:
        raise DataError(
            f"parts= says what a column calls the parts, but split={kind!r} looks at no column: "
            "give split= its name"
        )
    for name in values:
        if name not in PARTS:
            raise DataError(f"parts= names {name!r}{did_you_mean(name, PARTS)}; use {PARTS}")


def split_column(split: str, group: Column | None, time: Column | None) -> Column | None:
    """Return the column that decides the split, None where none does.

    Raises
    ------
    DataError
        If ``group`` or ``time`` is named, which this split does not look at.
    """
    for name, column in (("group", group), ("time", time)):
        if column is not None and split != name:
            raise DataError(
                f"{name}={column!r} is for split={name!r}, but split is {split!r}: set "
                f"split={name!r}, or leave {name}= out"
            )
    if split in ("random", "stratified"):
        return None
    if split == "group":
        return "group" if group is None else group
    if split == "time":
        return "time" if time is None else time
    return split


def as_written(value: float) -> Fraction:
    """Return a number exactly as the decimal that is written."""
    return Fraction(repr(value))
