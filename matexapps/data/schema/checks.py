"""Checks of settings: one of the wrong kind is an error that says what to write."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from numbers import Integral
from typing import Any

from matexapps.errors import DataError


def check_column(setting: str, value: object) -> None:
    """Raise a DataError unless a setting is None, a name, or a position."""
    if value is not None and not _is_column(value):
        raise DataError(
            f"{setting} is {describe_type(value)}, not a column: give its name, or its position "
            "from 0"
        )


def checked_names(setting: str, value: Any, *, positions: bool = False) -> tuple[Any, ...] | None:
    """Return a list of names as a tuple; None stays None.

    Parameters
    ----------
    setting : str
    value : collection of str, or None
    positions : bool
        Whether positions are allowed among the names.

    Raises
    ------
    DataError
        If it is not such a list.
    """
    if value is None:
        return None
    if isinstance(value, str | Mapping) or not isinstance(value, Collection):
        raise DataError(f"{setting} is {describe_type(value)}, not a list: write {setting}[...]")
    what = "the name or position of a column" if positions else "a text"
    for name in value:
        if not (_is_column(name) if positions else isinstance(name, str)):
            raise DataError(f"{setting} holds {name!r}, which is not {what}")
    return tuple(value)


def check_categories(value: object) -> None:
    """Raise a DataError unless a setting is None, or names columns and the values of each."""
    if value is None:
        return
    if not isinstance(value, Mapping):
        raise DataError(
            f"categories= is {describe_type(value)}: give the values of each column, as in "
            "categories={'color': ['red', 'green']}"
        )
    for name, known in value.items():
        if isinstance(known, str) or not isinstance(known, Collection):
            raise DataError(
                f"categories={{{name!r}: ...}} is {describe_type(known)}, not a list: write all "
                "values that the column may have"
            )


def check_kind(setting: str, value: object, kind: type, wanted: str) -> None:
    """Raise a DataError unless a setting is None or of a type, which ``wanted`` puts into words."""
    if value is not None and not isinstance(value, kind):
        raise DataError(f"{setting}{value!r} is not {wanted}")


def _is_column(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, Integral) and not isinstance(value, bool))


def describe_type(value: object) -> str:
    """Return the name of a value's type, with its article."""
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
