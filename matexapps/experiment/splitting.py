"""Which rows train, which choose the epoch and calibrate, and which judge; and what they share."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.util import hash_pandas_object

from matexapps.data.splitting.split import TEST, TRAIN, VALIDATION, split_rows
from matexapps.errors import DataError

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """Row numbers of each part, ascending.

    Attributes
    ----------
    train, validation, test : ndarray of int64
    repeats : int
        How often each epoch is repeated: a training on a part of the rows takes as many steps as
        that on all of them.
    part_of : str or None
        For a point of a learning curve: the name of the split that it has a part of the training
        rows of.

    Raises
    ------
    DataError
        If a part is empty.
    """

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]
    repeats: int = field(default=1, kw_only=True)
    part_of: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        for name, size in self.sizes.items():
            if size == 0:
                raise DataError(
                    f"the split leaves no rows in the {name} part: give it a larger share, "
                    "another kind of split, or more rows"
                )

    @property
    def sizes(self) -> dict[str, int]:
        """How many rows each part has."""
        return {name: len(getattr(self, name)) for name in PARTS}

    @property
    def learned(self) -> NDArray[np.int64]:
        """Rows that train or choose."""
        return np.concatenate([self.train, self.validation])


def make_split(
    kind: str,
    rows: int,
    validation: float,
    test: float,
    seed: int,
    key: NDArray[Any] | None = None,
) -> Split:
    """Split rows by the rules of :mod:`matexapps.data.splitting.split`.

    Parameters
    ----------
    kind : {"random", "stratified", "group", "time"} or the name of a column
    rows : int
    validation, test : float
        Shares of the rows.
    seed : int
    key : ndarray, shape (rows,), or None
        The class, group, time or named part of each row; a random split needs none.
    """
    part = split_rows(rows, validation=validation, test=test, kind=kind, seed=seed, key=key)
    return Split(*(np.flatnonzero(part == code) for code in (TRAIN, VALIDATION, TEST)))


def learning_curve(name: str, split: Split, halvings: int, seed: int) -> dict[str, Split]:
    """Return splits with fewer training rows by name, the fewest first.

    The largest has half of the training rows, and each other one half of the rows of the next. All
    have the same validation and test rows.

    Parameters
    ----------
    name : str
        Of the split.
    split : Split
    halvings : int
        How many.
    seed : int
        Of the draw.
    """
    order = np.random.default_rng(seed).permutation(split.train)
    parts = {}
    for share in (2**halving for halving in range(halvings, 0, -1)):
        train = np.sort(order[: max(1, len(order) // share)])
        parts[f"{name}-{len(train)}"] = replace(split, train=train, repeats=share, part_of=name)
    return parts


@dataclass(frozen=True)
class Leakage:
    """What test rows share with rows that train or choose.

    Attributes
    ----------
    test : int
        Test rows in all.
    identical : int
        Test rows whose features stand among those learned from, number for number.
    same_group : int or None
        Test rows whose group is learned from; None without groups.
    examples : list of (int, int)
        Row numbers of the first identical pairs: the test row, and one that is learned from.
    """

    test: int
    identical: int
    same_group: int | None = None
    examples: list[tuple[int, int]] = field(default_factory=list)

    def __str__(self) -> str:
        text = f"of {self.test:,} test rows {self.identical:,} are identical to rows learned from"
        if self.same_group is not None:
            text += f", {self.same_group:,} have a group that is learned from"
        return text


_EXAMPLES = 20
_ROWS = 65_536


def audit(
    features: NDArray[Any] | Sequence[NDArray[Any]],
    split: Split,
    groups: Sequence[Hashable] | None = None,
) -> Leakage:
    """Compare the test rows with those learned from.

    Parameters
    ----------
    features : ndarray, shape (rows, ...), or a sequence of such
        Rows of a sequence's arrays are numbered through.
    split : Split
    groups : sequence, optional
        Of each row: whatever must not stand on both sides, such as a building or a run.
    """
    tables = [features] if isinstance(features, np.ndarray) else features
    digests = np.concatenate([_digests(table) for table in tables])
    identical = split.test[np.isin(digests[split.test], digests[split.learned])]
    shown = identical[:_EXAMPLES]
    twins = split.learned[np.isin(digests[split.learned], digests[shown])]
    first = {digests[row]: int(row) for row in twins[::-1]}
    examples = [(int(row), first[digests[row]]) for row in shown]
    same_group = None
    if groups is not None:
        known = {groups[row] for row in split.learned}
        same_group = sum(groups[row] in known for row in split.test)
    return Leakage(len(split.test), len(identical), same_group, examples)


def _digests(features: NDArray[Any]) -> NDArray[np.uint64]:
    """Return a number for each row, which equal rows have in common.

    Among 10^7 rows two different ones have the same number with a chance of 1 in 10^5.
    """
    table = features.reshape(len(features), -1)
    parts = [
        hash_pandas_object(pd.DataFrame(table[start : start + _ROWS]), index=False).to_numpy()
        for start in range(0, len(table), _ROWS)
    ]
    return np.concatenate(parts) if parts else np.empty(0, np.uint64)
