"""Which rows train, which validate and which test: a function of the file and the seed alone.

Rounding
    A part of fraction ``f`` of ``n`` rows gets ``n * f`` rows, rounded to the nearest whole
    number, halves up, but at least one where ``f`` is above zero; ``f`` counts as the decimal
    number that is written (0.29 of 50 rows is 14.5, so 15). Training gets the rest.

"random"
    Rows are ranked by random numbers drawn from the seed. The first ranks are the test part, the
    next the validation part, so changing ``validation`` leaves the test rows as they are.
"stratified"
    The same within each class; a part's rows are shared among the classes by the largest
    remainders, ties to the smaller class number.
"group"
    Rows of one group stay together. Groups are taken in an order drawn from the seed; one joins
    the test part while that brings the part's size closer to its share, then the validation part
    likewise; at least one group each.
"time"
    The latest rows are the test part, those before them the validation part. Rows of the same
    time stay together, in the later part.
a column
    Its values name the part of each row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from matexapps.data.schema.schema import KINDS
from matexapps.data.splitting.split_settings import PARTS, as_written, check_split
from matexapps.errors import DataError, did_you_mean

TRAIN, VALIDATION, TEST, UNUSED = range(4)
"""What stands for each part in an array of parts; UNUSED rows belong to none."""

PART_VALUES: Mapping[str, tuple[str | float, ...]] = {
    "train": ("train", "training", 0),
    "validation": ("validation", "valid", "val", "dev", 1),
    "test": ("test", "testing", 2),
}
"""Values that a column of parts may hold, where nothing else is said."""

# Separates this stream of random numbers from others with the same seed.
_STREAM = 0x5EED
_PIECE_ROWS = 2**20
_CELLS = 2**22


def part_size(rows: int, share: float) -> int:
    """Return how many of ``rows`` rows a part of this fraction gets, rounded as described above."""
    if share == 0:
        return 0
    exact = rows * as_written(float(share))
    return max(1, int((2 * exact + 1) // 2))


def split_rows(
    rows: int,
    *,
    validation: float,
    test: float,
    kind: str = "random",
    seed: int = 0,
    key: NDArray[Any] | None = None,
    values: Mapping[str, Any] | None = None,
) -> NDArray[np.uint8]:
    """Say for each row which part it belongs to.

    Parameters
    ----------
    rows : int
        How many rows there are.
    validation, test : float
        Fractions of all rows, from 0 to below 1; not used where a column names the parts.
    kind : {"random", "stratified", "group", "time"} or the name of a column
    seed : int
        Seed of the random numbers; the same seed gives the same parts on any number of ranks.
    key : ndarray, shape (rows,)
        The class, the group, the time or the named part of each row; a random split needs none.
    values : mapping of part to value or values, or None
        What a column calls the parts, where that is not in :data:`PART_VALUES`; rows with other
        values are used in no part.

    Returns
    -------
    ndarray of uint8, shape (rows,)
        TRAIN, VALIDATION, TEST or UNUSED.

    Raises
    ------
    DataError
        If the settings do not describe a split, or there are too few rows for the parts.
    """
    check_split(kind, validation, test, seed)
    if kind not in KINDS:
        return _named(_needed(key, kind), kind, values)
    sizes = [part_size(rows, test), part_size(rows, validation)]
    if sum(sizes) >= rows:
        raise DataError(
            f"{rows} rows are too few for test={test} and validation={validation}: nothing is "
            "left to train on; use more rows or smaller parts"
        )
    if kind == "random":
        return _ranked(rows, sizes, seed)
    known = _needed(key, kind)
    if kind == "stratified":
        return _ranked(rows, sizes, seed, _classes(known))
    return _grouped(known, sizes, seed) if kind == "group" else _timed(known, sizes)


def _needed(key: NDArray[Any] | None, kind: str) -> NDArray[Any]:
    if key is None:
        raise DataError(f"split={kind!r} needs a value of every row: a class, a group or a time")
    return key


def _ranked(
    rows: int, sizes: Sequence[int], seed: int, numbers: NDArray[np.int32] | None = None
) -> NDArray[np.uint8]:
    """Give each part the rows with the lowest draws, class by class, without sorting all draws."""
    classes = 1 if numbers is None else int(numbers.max()) + 1
    buckets = 1 << max(4, min(16, (_CELLS // classes).bit_length() - 1))
    shift = np.uint64(64 - (buckets.bit_length() - 1))
    cells = np.zeros(classes * buckets, np.int64)
    for part, draws in _draws(rows, seed):
        cells += np.bincount(_cell(draws, numbers, part, shift, buckets), minlength=len(cells))
    counts = cells.reshape(classes, buckets)
    in_class = counts.sum(axis=1)
    in_test = np.array(_shares(sizes[0], list(in_class)))
    in_either = in_test + np.array(_shares(sizes[1], list(in_class - in_test)))
    upto = np.cumsum(counts, axis=1)
    parts = np.full(rows, TRAIN, np.uint8)
    open_rows: list[NDArray[np.int64]] = []
    open_draws: list[NDArray[np.uint64]] = []
    for part, draws in _draws(rows, seed):
        cell = _cell(draws, numbers, part, shift, buckets)
        class_number = cell // buckets
        last = upto.ravel()[cell]
        first = last - cells[cell]
        piece = parts[part]
        piece[last <= in_either[class_number]] = VALIDATION
        piece[last <= in_test[class_number]] = TEST
        # A cell that the boundary of a part cuts through is decided below, draw by draw.
        cut = (first < in_test[class_number]) & (in_test[class_number] < last)
        cut |= (first < in_either[class_number]) & (in_either[class_number] < last)
        open_rows.append(np.flatnonzero(cut) + part.start)
        open_draws.append(draws[cut])
    undecided, draws = np.concatenate(open_rows), np.concatenate(open_draws)
    order = np.argsort(draws, kind="stable")
    undecided, draws = undecided[order], draws[order]
    class_number = np.zeros(len(undecided), np.int64)
    if numbers is not None:
        class_number += numbers[undecided]
    cell = class_number * buckets + (draws >> shift).astype(np.int64)
    by_cell = np.argsort(cell, kind="stable")
    sorted_cell = cell[by_cell]
    within = np.arange(len(cell)) - np.searchsorted(sorted_cell, sorted_cell)
    rank = np.empty(len(cell), np.int64)
    rank[by_cell] = (upto.ravel() - cells)[sorted_cell] + within
    in_validation = rank < in_either[class_number]
    chosen = np.where(in_validation, VALIDATION, TRAIN)
    parts[undecided] = np.where(rank < in_test[class_number], TEST, chosen)
    return parts


def _draws(rows: int, seed: int) -> Iterator[tuple[slice, NDArray[np.uint64]]]:
    # Raw output of a bit generator never changes between numpy versions; permutation() may.
    generator = np.random.PCG64(np.random.SeedSequence([seed, _STREAM]))
    for start in range(0, rows, _PIECE_ROWS):
        part = slice(start, min(start + _PIECE_ROWS, rows))
        yield part, generator.random_raw(part.stop - part.start)


def _cell(
    draws: NDArray[np.uint64],
    numbers: NDArray[np.int32] | None,
    part: slice,
    shift: np.uint64,
    buckets: int,
) -> NDArray[np.int64]:
    cell = (draws >> shift).astype(np.int64)
    return cell if numbers is None else cell + numbers[part].astype(np.int64) * buckets


def _classes(key: NDArray[Any]) -> NDArray[np.int32]:
    numbers, values = pd.factorize(key, sort=True)
    if len(values) > max(2, len(key) // 2):
        raise DataError(
            f"split='stratified' needs classes, but the label has {len(values)} different values "
            f"in {len(key)} rows: use split='random'"
        )
    return numbers.astype(np.int32)


def _shares(size: int, counts: Sequence[int]) -> list[int]:
    """Share ``size`` rows among groups in proportion, by the largest remainders."""
    total = sum(counts)
    exact = [Fraction(int(size) * int(count), int(total)) for count in counts]
    shares = [int(share) for share in exact]
    by_remainder = sorted(range(len(counts)), key=lambda i: (shares[i] - exact[i], i))
    for i in by_remainder[: size - sum(shares)]:
        shares[i] += 1
    return shares


def _grouped(key: NDArray[Any], sizes: Sequence[int], seed: int) -> NDArray[np.uint8]:
    numbers, values = pd.factorize(key, sort=True)
    needed = 1 + sum(size > 0 for size in sizes)
    if len(values) < needed or (numbers < 0).any():
        empty = int((numbers < 0).sum())
        raise DataError(
            f"split='group' needs at least {needed} groups and the group of every row, but there "
            f"are {len(values)} groups and {empty} rows without one"
        )
    counts = np.bincount(numbers)
    generator = np.random.PCG64(np.random.SeedSequence([seed, _STREAM]))
    waiting = list(np.argsort(generator.random_raw(len(values)), kind="stable"))
    of_group = np.full(len(values), TRAIN, np.uint8)
    for code, size, later in ((TEST, sizes[0], sizes[1]), (VALIDATION, sizes[1], 0)):
        if not size:
            continue
        keep = 1 + (later > 0)
        taken = _closest(waiting, counts, size, most=len(waiting) - keep)
        of_group[taken] = code
        waiting = [group for group in waiting if group not in set(taken)]
    return of_group[numbers]


def _closest(groups: Sequence[int], counts: NDArray[np.int64], size: int, most: int) -> list[int]:
    """Return the groups, in turn, of which each brings the sum of counts closer to ``size``."""
    taken: list[int] = []
    total = 0
    for group in groups:
        if len(taken) < most and abs(total + counts[group] - size) < abs(total - size):
            taken.append(group)
            total += counts[group]
    return taken or [min(groups, key=lambda group: counts[group])]


def _timed(key: NDArray[Any], sizes: Sequence[int]) -> NDArray[np.uint8]:
    if pd.isna(key).any():
        raise DataError("split='time' needs the time of every row: some are missing")
    times = np.sort(key)
    parts = np.full(len(key), TRAIN, np.uint8)
    for code, size in ((VALIDATION, sum(sizes)), (TEST, sizes[0])):
        if size:
            parts[key >= times[len(times) - size]] = code
    if not (parts == TRAIN).any():
        raise DataError(
            "split='time' leaves no rows to train on, because too many rows have the same time; "
            "use smaller parts or a finer time"
        )
    return parts


def _named(key: NDArray[Any], column: str, values: Mapping[str, Any] | None) -> NDArray[np.uint8]:
    parts = np.full(len(key), UNUSED, np.uint8)
    for code, name in enumerate(PARTS):
        chosen = (values or PART_VALUES).get(name, ())
        chosen = chosen if isinstance(chosen, list | tuple) else (chosen,)
        parts[np.isin(key.astype(object), np.array(chosen, dtype=object))] = code
    if values is None and (parts == UNUSED).any():
        odd = key[int(np.argmax(parts == UNUSED))]
        raise DataError(
            f"split={column!r}: the column holds {odd!r}, which names no part"
            f"{did_you_mean(str(odd), PARTS)}; say what it calls them with "
            "parts={'train': ..., 'validation': ..., 'test': ...}"
        )
    if not (parts == TRAIN).any():
        raise DataError(f"split={column!r}: no row of the column is marked for training")
    return parts
