"""Splits that molecules need beside those of any rows: by groups, by times, by named parts."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from matexapps.apps.molecules.data.targets import is_blank
from matexapps.errors import DataError
from matexapps.experiment.splitting import PARTS, Split, make_split

_CODES = {"train": 0, "validation": 1, "valid": 1, "val": 1, "test": 2}
_DIGITS_OF_A_YEAR = 4


def group_split(groups: Sequence[Hashable], validation: float, test: float, seed: int) -> Split:
    """Assign entire groups to the parts, balanced.

    Groups larger than half of the test or validation part come first, the largest foremost, so
    that they train and no single kind of molecule fills the other parts; the rest follow in an
    order drawn from ``seed``. Each goes to the first of training, validation and test that has
    room for all of it; where none has, to the one that lacks the largest part of its share.

    Parameters
    ----------
    groups : sequence of hashable
        The group of each molecule.
    validation, test : float
        Shares of the molecules.
    seed : int
    """
    members: dict[Hashable, list[int]] = {}
    for index, name in enumerate(groups):
        members.setdefault(name, []).append(index)
    total = len(groups)
    limit = min(validation, test) * total / 2
    large = [group for group in members.values() if len(group) > limit]
    small = [group for group in members.values() if len(group) <= limit]
    large.sort(key=lambda group: (-len(group), group[0]))
    order = np.random.default_rng(seed).permutation(len(small))
    wanted = np.bincount(_codes_in_order(total, validation, test), minlength=len(PARTS))
    room = wanted.copy()
    parts: list[list[list[int]]] = [[] for _ in PARTS]
    for group in [*large, *(small[i] for i in order)]:
        fitting = (code for code in range(len(PARTS)) if len(group) <= room[code])
        code = next(fitting, int(np.argmax(room / np.maximum(wanted, 1))))
        parts[code].append(group)
        room[code] -= len(group)
    for part in parts[1:]:
        if not part and len(parts[0]) > 1:  # few groups: take the smallest that would train
            part.append(parts[0].pop(int(np.argmin(list(map(len, parts[0]))))))
    return Split(*(np.sort(np.array([i for group in part for i in group], int)) for part in parts))


def time_split(times: Sequence[Sequence[object]], validation: float, test: float) -> Split:
    """Train on the oldest molecules and test on the newest.

    Parameters
    ----------
    times : sequence of sequence of object
        Numbers, or dates like 2024-03-31, of each molecule's rows; the earliest counts. A molecule
        without any is in no part.
    validation, test : float

    Raises
    ------
    DataError
        If a time is neither, or they are of both kinds.
    """
    known = [[time for time in row if not is_blank(time)] for row in times]
    present = [time for row in known for time in row]
    read = _number if all(map(_is_number, present)) else _seconds
    rows = np.flatnonzero([bool(row) for row in known])
    earliest = np.array([min(map(read, known[row])) for row in rows])
    split = make_split("time", len(rows), validation, test, 0, earliest)
    return Split(*(rows[getattr(split, part)] for part in PARTS))


def column_split(parts: Sequence[Sequence[object]]) -> Split:
    """Take the parts from a column that says train, validation (or valid, val) or test.

    Parameters
    ----------
    parts : sequence of sequence of object
        The cells of each molecule's rows. A molecule with rows in several parts is in the first
        of them: see :func:`in_multiple_parts`. Other words leave a molecule out.
    """
    codes = np.array([min(_codes_of(cells), default=-1) for cells in parts], np.int8)
    if (codes < 0).all():
        raise DataError(
            f"the column of the split says {parts[0][0]!r}: it must say train, validation or test"
        )
    return Split(*(np.flatnonzero(codes == code) for code in range(len(PARTS))))


def in_multiple_parts(parts: Sequence[Sequence[object]]) -> list[int]:
    """Return the indices of the molecules that a column assigns to more than one part."""
    return [index for index, cells in enumerate(parts) if len(_codes_of(cells)) > 1]


def _codes_of(cells: Sequence[object]) -> set[int]:
    words = (str(cell).strip().lower() for cell in cells)
    return {_CODES[word] for word in words if word in _CODES}


def _codes_in_order(total: int, validation: float, test: float) -> NDArray[np.int64]:
    """Return the parts of ``total`` molecules in order: training first, test last."""
    sizes = round(validation * total), round(test * total)
    return np.repeat([0, 1, 2], [total - sum(sizes), *sizes])


def _number(time: object) -> float:
    return float(str(time))


def _is_number(time: object) -> bool:
    try:
        _number(time)
    except ValueError:
        return False
    return True


def _seconds(time: object) -> float:
    """Return a date as seconds since 1970; the only numbers that are dates are years."""
    text = str(time).strip()
    try:
        if _is_number(text) and len(text) != _DIGITS_OF_A_YEAR:
            raise ValueError("a number among dates")
        return float(np.datetime64(text).astype("datetime64[s]").astype(np.int64))
    except ValueError as error:
        raise DataError(
            f"the split by time needs a column of numbers or of dates like 2024-03-31, and one of "
            f"its cells is {text!r}: {error}"
        ) from None
