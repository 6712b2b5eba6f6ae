"""What can be said of a column, gathered block by block: numbers by statistics, texts by counts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from matexapps.data.schema.encoding import EMPTY_TEXTS
from matexapps.data.sources.raw_files import described
from matexapps.data.sources.table import Variable, named_columns
from matexapps.data.statistics import Statistics

MOST_DIFFERENT = 10_000
"""So many different values are counted; of more it is only known that they are more."""

_MOST_FREQUENT = 3


@dataclass(frozen=True)
class ColumnFacts:
    """What is known of one column, or of all values of a variable of arrays.

    Attributes
    ----------
    name, type : str
    missing : int
        Cells that are NaN, or empty, or say so.
    minimum, mean, maximum : float or None
        Of the numbers there are; None for texts and where there is no number.
    different : int or None
        How many different texts there are, empty cells aside; None for numbers, and above
        ``MOST_DIFFERENT``.
    frequent : list of (text, rows)
        The most frequent texts.
    constant : bool
        Whether all cells hold the same.
    infinite : bool
        Whether a number is infinite.
    """

    name: str
    type: str
    missing: int
    minimum: float | None = None
    mean: float | None = None
    maximum: float | None = None
    different: int | None = None
    frequent: Sequence[tuple[str, int]] = ()
    constant: bool = False
    infinite: bool = False

    @property
    def is_text(self) -> bool:
        """Whether it holds texts."""
        return self.type == "text"


class Counts:
    """How often each value occurs, until there are too many different ones.

    Attributes
    ----------
    seen : Counter or None
        None once there are more than ``MOST_DIFFERENT``.
    """

    def __init__(self) -> None:
        self.seen: Counter[Any] | None = Counter()

    def add(self, values: NDArray[Any]) -> None:
        """Count some values; NaN is not counted."""
        if self.seen is None:
            return
        found = pd.Series(values).value_counts()
        self.seen.update(dict(zip(found.index.tolist(), found.tolist(), strict=True)))
        if len(self.seen) > MOST_DIFFERENT:
            self.seen = None


class Gathering:
    """The facts of all columns, from one pass over the rows.

    Parameters
    ----------
    variables : sequence of Variable
    """

    def __init__(self, variables: Sequence[Variable]) -> None:
        self._variables = variables
        numbers = [one for one in variables if not one.is_text]
        # Columns that stand alone go through the statistics together.
        self._alone = [one for one in numbers if not one.shape]
        self._wide = [one for one in numbers if one.shape]
        self._statistics: dict[str, Statistics] = {}
        self._together: Statistics | None = None
        self._counts = {one.name: Counts() for one in variables if one.is_text}
        self._empty: Counter[str] = Counter()

    def add(self, block: Mapping[str, NDArray[Any]]) -> None:
        """Take in some rows: the arrays of all variables by name."""
        if self._alone:
            stacked = np.stack([block[v.name].astype(np.float64) for v in self._alone], axis=1)
            self._together = _merged(self._together, stacked)
        for variable in self._wide:
            values = block[variable.name]
            if len(variable.shape) > 1:
                values = values.reshape(-1, 1)
            self._statistics[variable.name] = _merged(self._statistics.get(variable.name), values)
        for name, counts in self._counts.items():
            empty = pd.Series(block[name]).isin(EMPTY_TEXTS).to_numpy()
            counts.add(block[name][~empty])
            self._empty[name] += int(empty.sum())

    def facts(self) -> list[ColumnFacts]:
        """Return the facts, in the order of the columns."""
        places = {variable.name: i for i, variable in enumerate(self._alone)}
        found = []
        for name, variable, i in named_columns(self._variables):
            if variable.is_text:
                found.append(self._text_facts(name, variable))
            elif not variable.shape:
                found.append(_number_facts(name, variable, self._together, places[variable.name]))
            else:
                column = i if len(variable.shape) == 1 else 0
                found.append(
                    _number_facts(name, variable, self._statistics.get(variable.name), column)
                )
        return found

    def _text_facts(self, name: str, variable: Variable) -> ColumnFacts:
        seen, missing = self._counts[variable.name].seen, self._empty[variable.name]
        return ColumnFacts(
            name,
            "text",
            missing,
            different=None if seen is None else len(seen),
            frequent=[] if seen is None else seen.most_common(_MOST_FREQUENT),
            constant=seen is not None and len(seen) + bool(missing) == 1,
        )


def _merged(before: Statistics | None, values: NDArray[Any]) -> Statistics:
    # Infinite numbers have no mean; that they are there shows in the extremes.
    with np.errstate(invalid="ignore", over="ignore"):
        found = Statistics.of(values, [])
        return found if before is None else before.merge(found)


def _number_facts(
    name: str, variable: Variable, statistics: Statistics | None, i: int
) -> ColumnFacts:
    kind = described(variable) if len(variable.shape) > 1 else str(variable.dtype)
    if statistics is None:
        return ColumnFacts(name, kind, 0)
    low, high = float(statistics.minimum[i]), float(statistics.maximum[i])
    missing = int(statistics.missing[i])
    return ColumnFacts(
        name,
        kind,
        missing,
        _known(low),
        _known(float(statistics.mean[i])) if statistics.count[i] else None,
        _known(high),
        constant=low == high and not missing,
        infinite=math.isinf(low) or math.isinf(high),
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
