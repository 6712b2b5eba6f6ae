"""Which rows train, which validate and which test: a function of seed and row count alone.

Rounding
    A part of fraction ``f`` of ``n`` rows gets ``n * f`` rows, rounded to the nearest whole
    number, halves up, but at least one where ``f`` is above zero; ``f`` counts as the decimal
    number that is written (0.29 of 50 rows is 14.5, so 15). Training gets the rest. A stratified
    part has the same size; its rows are shared among the classes by the largest remainders, ties
    to the smaller class number.

Order
    Rows are ranked by random numbers drawn from the seed. The first ranks are the test part, the
    next the validation part, so changing ``validation`` leaves the test rows as they are. Within
    a part, rows keep the order they have in the source.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matexapps.errors import DataError, did_you_mean

KINDS = ("random", "stratified")

# Keeps this stream of random numbers apart from others drawn from the same seed.
_STREAM = 0x5EED


@dataclass(frozen=True)
class Split:
    """Row numbers of the three parts, each ascending; together every row exactly once."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


def check_split(
    kind: str, validation: float | str | Path, test: float | str | Path, seed: int
) -> None:
    """Raise a DataError unless these settings describe a split; paths count as no fraction."""
    if kind not in KINDS:
        raise DataError(
            f"split={kind!r} is not known: use 'random' or 'stratified'{did_you_mean(kind, KINDS)}"
        )
    if seed < 0:
        raise DataError(f"seed={seed} is negative: use zero or above")
    fractions = {"validation": fraction(validation), "test": fraction(test)}
    for name, value in fractions.items():
        if not 0 <= value < 1:
            raise DataError(f"{name}={value} is not a fraction: use 0 or more, but less than 1")
    if sum(_as_written(value) for value in fractions.values()) >= 1:
        raise DataError(f"validation={validation} and test={test} leave no rows to train on")


def fraction(part: float | str | Path) -> float:
    """Return the fraction of rows that a part takes: none where it is a file of its own."""
    return 0.0 if isinstance(part, str | Path) else float(part)


def split_rows(
    rows: int,
    *,
    validation: float,
    test: float,
    kind: str = "random",
    seed: int = 0,
    label: NDArray[Any] | None = None,
) -> Split:
    """Divide row numbers 0 to ``rows - 1`` into training, validation and test.

    Parameters
    ----------
    rows : int
        How many rows there are.
    validation, test : float
        Fractions of all rows, from 0 to below 1.
    kind : "random" or "stratified"
        Stratified keeps the shares of the classes in every part.
    seed : int
        Seed of the random numbers; the same seed gives the same parts on any number of ranks.
    label : ndarray, shape (rows,)
        Class of each row; stratified splits need it.

    Raises
    ------
    DataError
        If the settings do not describe a split, or there are too few rows for the parts.
    """
    check_split(kind, validation, test, seed)
    sizes = [part_size(rows, test), part_size(rows, validation)]
    if sum(sizes) >= rows:
        raise DataError(
            f"{rows} rows are too few for test={test} and validation={validation}: nothing is "
            "left to train on; use more rows or smaller parts"
        )
    # Raw output of a bit generator never changes between numpy versions; permutation() may.
    generator = np.random.PCG64(np.random.SeedSequence([seed, _STREAM]))
    order = np.argsort(generator.random_raw(rows), kind="stable").astype(np.int64)
    groups = [order] if kind == "random" else _classes(order, label)
    parts: list[NDArray[np.int64]] = []
    for size in sizes:
        counts = _shares(size, [len(group) for group in groups])
        parts.append(np.sort(np.concatenate([g[:c] for g, c in zip(groups, counts, strict=True)])))
        groups = [group[count:] for group, count in zip(groups, counts, strict=True)]
    return Split(train=np.sort(np.concatenate(groups)), validation=parts[1], test=parts[0])


def part_size(rows: int, share: float) -> int:
    """Return how many of ``rows`` rows a part of this fraction gets (see the module's text)."""
    if share == 0:
        return 0
    exact = rows * _as_written(float(share))
    return max(1, int((2 * exact + 1) // 2))


def _classes(order: NDArray[np.int64], label: NDArray[Any] | None) -> list[NDArray[np.int64]]:
    if label is None:
        raise DataError("split='stratified' needs the label of every row")
    values, numbers = np.unique(label, return_inverse=True)
    if len(values) > max(2, len(label) // 2):
        raise DataError(
            f"split='stratified' needs classes, but the label has {len(values)} different values "
            f"in {len(label)} rows: use split='random'"
        )
    in_order = numbers[order]
    by_class = order[np.argsort(in_order, kind="stable")]
    ends = np.cumsum(np.bincount(numbers, minlength=len(values)))
    return np.split(by_class, ends[:-1])


def _shares(size: int, counts: Sequence[int]) -> list[int]:
    """Share ``size`` rows among groups in proportion, by the largest remainders."""
    total = sum(counts)
    exact = [Fraction(size * count, total) for count in counts]
    shares = [int(share) for share in exact]
    by_remainder = sorted(range(len(counts)), key=lambda i: (shares[i] - exact[i], i))
    for i in by_remainder[: size - sum(shares)]:
        shares[i] += 1
    return shares


def _as_written(value: float) -> Fraction:
    return Fraction(repr(value))
