"""Facts about columns, gathered block by block: statistics of numbers, counts of texts."""

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
    """Facts about one column, or about all values of a variable of arrays.

    Attributes
    ----------
    name, type : str
    missing : int
        Cells that are NaN or empty, or hold a word such as NA.
    minimum, mean, maximum : float or None
        Of the numbers; None for texts and if there is no number.
    different : int or None
        How many different texts there are besides empty cells; None for numbers, and above
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
    """Counts how often each value occurs, until there are too many different ones.

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
        counts = pd.Series(values).value_counts()
        self.seen.update(dict(zip(counts.index.tolist(), counts.tolist(), strict=True)))
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
        numbers = [variable for variable in variables if not variable.is_text]
        # Single columns share one pass of statistics.
        self._alone = [variable for variable in numbers if not variable.shape]
        self._wide = [variable for variable in numbers if variable.shape]
        self._statistics: dict[str, Statistics] = {}
        self._together: Statistics | None = None
        self._counts = {variable.name: Counts() for variable in variables if variable.is_text}
        self._empty: Counter[str] = Counter()

    def add(self, block: Mapping[str, NDArray[Any]]) -> None:
        """Add some rows: the arrays of all variables by name."""
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
        positions = {variable.name: i for i, variable in enumerate(self._alone)}
        result = []
        for name, variable, i in named_columns(self._variables):
            if variable.is_text:
                result.append(self._text_facts(name, variable))
            elif not variable.shape:
                position = positions[variable.name]
                result.append(_number_facts(name, variable, self._together, position))
            else:
                column = i if len(variable.shape) == 1 else 0
                result.append(
                    _number_facts(name, variable, self._statistics.get(variable.name), column)
                )
        return result

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
    # Infinite numbers have no mean; the extremes show that they exist.
    with np.errstate(invalid="ignore", over="ignore"):
        statistics = Statistics.of(values, [])
        return statistics if before is None else before.merge(statistics)


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
