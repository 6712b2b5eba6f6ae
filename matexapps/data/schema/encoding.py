"""Declared texts and categories become numbers; undeclared ones are errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from matexapps.errors import DataError, did_you_mean

EMPTY_TEXTS = ("", "NA", "N/A", "nan", "NaN", "NAN", "null", "NULL")


Categories = Mapping[str, Sequence[str | float]]
"""All values that each column of categories may hold."""


def encoded_names(features: Sequence[str], categories: Categories) -> list[str]:
    """Return the columns that features become: ``column=value`` for each value of a category."""
    names: list[str] = []
    for name in features:
        known = categories.get(name)
        names += [name] if known is None else [f"{name}={_plain(value)}" for value in known]
    return names


def numbers_of(values: NDArray[Any], known: Sequence[str | float]) -> NDArray[np.int64]:
    """Return each value's position in ``known``, -1 if it is not one of them.

    Numbers are compared as numbers, everything else as text.
    """
    if values.dtype.kind == "O":
        index = pd.Index([_plain(value) for value in known])
        return index.get_indexer(pd.Index(values)).astype(np.int64)
    try:
        numbers = [float(value) for value in known]
    except ValueError:
        return np.full(len(values), -1, np.int64)
    return pd.Index(numbers).get_indexer(pd.Index(values.astype(np.float64))).astype(np.int64)


def one_hot(
    values: NDArray[Any], known: Sequence[str | float], *, empty_allowed: bool
) -> tuple[NDArray[np.float32], int | None]:
    """Return zeros and ones, and the first row whose value is not known, or None.

    Parameters
    ----------
    values : ndarray, shape (rows,)
        Texts or numbers.
    known : sequence
        All values there may be.
    empty_allowed : bool
        Whether an empty or NaN cell is a row of zeros; an unknown value otherwise.

    Returns
    -------
    ndarray of float32, shape (rows, len(known))
    int or None
    """
    numbers = numbers_of(values, known)
    block = np.zeros((len(values), len(known)), np.float32)
    valid = numbers >= 0
    block[np.flatnonzero(valid), numbers[valid]] = 1
    if empty_allowed:
        valid |= _is_empty(values)
    return block, None if valid.all() else int(np.argmin(valid))


def unknown_value(value: Any, known: Sequence[str | float], setting: str) -> str:
    """Return an error message for a value that a setting does not name."""
    texts = [_plain(text) for text in known]
    if str(value) in EMPTY_TEXTS and setting.startswith("categories"):
        return (
            f"{str(value)!r} is none of the values that {setting} names; name it too, or declare "
            "such cells with missing=math.nan, which makes them a row of zeros"
        )
    return (
        f"{str(value)[:40]!r} is none of the values {', '.join(map(repr, texts[:8]))} that "
        f"{setting} names{did_you_mean(str(value), texts)}"
    )


def missing_key(text: str) -> str:
    """Return an error message for a cell without a value in the column that decides the split."""
    held = f"the value is {text!r}" if text else "the cell is empty"
    return f"{held}, so nothing says to which part the row belongs; correct it or remove it"


def check_declared(categories: Categories, features: Sequence[str]) -> None:
    """Raise a DataError unless each category is a feature, and its values differ."""
    for name, known in categories.items():
        texts = [_plain(value) for value in known]
        if not texts or len(set(texts)) != len(texts):
            raise DataError(
                f"categories={{{name!r}: ...}} must name one value or more, each once: got "
                f"{list(known)!r}"
            )
        if name not in features:
            raise DataError(
                f"categories= names {name!r}, which is not a feature"
                f"{did_you_mean(name, features) or ': add it to features=, or leave it out'}"
            )


def _plain(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _is_empty(values: NDArray[Any]) -> NDArray[np.bool_]:
    if values.dtype.kind == "O":
        return np.isin(values.astype(str), EMPTY_TEXTS)
    return np.isnan(values.astype(np.float64))
