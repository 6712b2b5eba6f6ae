"""Which column of a file is what: a user's settings, and what they mean for one file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matexapps.data.schema.checks import check_categories, check_column, check_kind, checked_names
from matexapps.errors import DataError, did_you_mean

Column = str | int
KINDS = ("random", "stratified", "group", "time")
"""Ways to split that are no columns."""

_ASKED = {
    "features": "which features= asks for",
    "label": "which label= asks for",
    "weight": "which weight= asks for",
    "key": "to split the rows by",
}


@dataclass(frozen=True)
class Schema:
    """A user's description of a file; anything left out follows the rules of its reader.

    Attributes
    ----------
    features : sequence of column names or positions, or None
        Feature columns, in the order wanted; None takes all but label, weight and key. A name of
        a dataset (HDF5) or variable (NetCDF) stands for all its columns.
    label : column name or position, or None
        None takes the column called "label" or "labels", in any case.
    weight : column name or position, or None
    key : column name or position, or None
        The column that decides the split: groups, times, or the parts themselves.
    missing : float, sequence of float, or None
        Declared missing values, see :mod:`matexapps.data.schema.missing`.
    classes : sequence of str, or None
        For a label that is text: its values in the order of their numbers, so that
        ``("b", "s")`` reads b as 0 and s as 1. For HDF5 with a dataset for each class: the names
        of those datasets.
    categories : mapping of column name to sequence, or None
        Feature columns that hold categories, and all values each may have, as texts or numbers.
        Such a column becomes one column of zeros and ones for each value, called ``column=value``.
    columns : sequence of str, or None
        Names of all columns of a file that has none; a file's own names take precedence.
    header : bool or None
        Whether the first line of a CSV file holds names; None detects it.
    delimiter : str or None
        What separates the cells of a CSV file; None detects it.
    dimension : str or None
        The dimension of a NetCDF file along which the rows run; None detects it.
    binary : bool
        Whether every label must be 0 or 1.
    """

    features: Sequence[Column] | str | None = None
    label: Column | None = None
    weight: Column | None = None
    missing: float | Sequence[float] | None = None
    classes: Sequence[str] | None = None
    columns: Sequence[str] | None = None
    header: bool | None = None
    delimiter: str | None = None
    key: Column | None = None
    categories: Mapping[str, Sequence[str | float]] | None = None
    dimension: str | None = None
    binary: bool = False

    def __post_init__(self) -> None:
        for name, value in (("label", self.label), ("weight", self.weight)):
            check_column(f"{name}=", value)
        check_column("the column to split by", self.key)
        if not isinstance(self.features, str):
            features = checked_names("features=", self.features, positions=True)
            object.__setattr__(self, "features", features)
        for name in ("classes", "columns"):
            object.__setattr__(self, name, checked_names(f"{name}=", getattr(self, name)))
        check_categories(self.categories)
        check_kind("header=", self.header, bool, "True, False or None")
        check_kind("delimiter=", self.delimiter, str, "one character: use for example ','")
        check_kind("dimension=", self.dimension, str, "the name of a dimension")

    def roles(
        self,
        names: Sequence[str],
        file: str,
        groups: Mapping[str, Sequence[int]] | None = None,
        default: Sequence[int] | None = None,
    ) -> Roles:
        """Return which of the columns called ``names`` plays which role.

        Parameters
        ----------
        names : sequence of str
        file : str
            What messages call the file.
        groups : mapping of str to positions, or None
            Datasets of several columns, by name.
        default : sequence of positions, or None
            The columns that may be features if none are named; None stands for all.

        Raises
        ------
        DataError
            If a column is not there, or the label is among the features.
        """
        for role, column in (
            ("label", label_column(list(groups or {})) if self.label is None else self.label),
            ("weight", self.weight),
            ("key", self.key),
        ):
            if isinstance(column, str) and column not in names and column in (groups or {}):
                unasked = role == "label" and self.label is None
                asked = "which would be the label" if unasked else _ASKED[role]
                raise _wide(file, role, f"{column!r}, {asked},", (groups or {})[column])
        label = _label(self.label, names, file)
        weight = None if self.weight is None else position(self.weight, names, file, "weight")
        key = None if self.key is None else position(self.key, names, file, "key")
        if self.features is None:
            candidates = range(len(names)) if default is None else default
            features = [i for i in candidates if i not in (label, weight, key)]
            nameless = next((i for i in features if not names[i]), None)
            if nameless is not None:
                raise DataError(
                    f"{file}: column {nameless} (from 0) of the header has no name, as in a saved "
                    "row index: say which columns are wanted with features=[...]"
                )
        else:
            wanted = [self.features] if isinstance(self.features, str) else self.features
            features = []
            for column in wanted:
                if isinstance(column, str) and column not in names and column in (groups or {}):
                    features.extend((groups or {})[column])
                else:
                    features.append(position(column, names, file, "features"))
        if label in features:
            raise DataError(
                f"{file}: the label {names[label]!r} is also among the features, so a model would "
                "be given the answer: leave it out of features="
            )
        if not features:
            raise DataError(f"{file}: no column is left as a feature besides label and weight")
        return Roles(tuple(features), label, weight, key)


@dataclass(frozen=True)
class Roles:
    """Positions of the columns that are read, from 0."""

    features: tuple[int, ...]
    label: int
    weight: int | None
    key: int | None = None

    @property
    def numbers(self) -> list[int]:
        """Positions of the columns that hold features or weights, ascending."""
        used = {*self.features} | ({self.weight} if self.weight is not None else set())
        return sorted(used)


def _label(label: Column | None, names: Sequence[str], file: str) -> int:
    if label is not None:
        return position(label, names, file, "label")
    named = label_column(names)
    if named is None:
        raise DataError(
            f"{file}: no column is called 'label' among {_listed(names)}; say which one it is with "
            "label='its name' or its position, label=0 for the first"
        )
    return list(names).index(named)


def default_names(count: int) -> list[str]:
    """Return ``column_0``, ``column_1``, ...: the names of columns that have none."""
    return [f"column_{i}" for i in range(count)]


def label_column(columns: Sequence[str]) -> str | None:
    """Return the only column called label or labels, in any case, or None."""
    named = [name for name in columns if name.lower() in ("label", "labels")]
    return named[0] if len(named) == 1 else None


def position(column: Column, names: Sequence[str], file: str, role: str) -> int:
    """Return the position of ``column``, a name or a position, among ``names``, from 0.

    ``role`` is features, label, weight, or key for the column that decides the split.
    """
    if isinstance(column, str):
        if column in names:
            return list(names).index(column)
        guess = did_you_mean(column, [*names, *(KINDS if role == "key" else ())])
        raise DataError(
            f"{file} has no column {column!r}, {_ASKED[role]}"
            f"{guess or f'; its columns are {_listed(names)}'}"
        )
    if not -len(names) <= column < len(names):
        raise DataError(
            f"{file} has no column {column}, {_ASKED[role]}: it has {len(names)} columns, "
            f"0 to {len(names) - 1}"
        )
    return int(column) % len(names)


def _wide(file: str, role: str, which: str, columns: Sequence[int]) -> DataError:
    cure = f"choose one of them by its position, {columns[0]} for the first"
    if role == "label":
        cure = (
            "if they are classes given as zeros and ones, write the number of each row's class in "
            f"their place, which numpy.argmax(label, axis=1) gives; otherwise {cure}"
        )
    return DataError(
        f"{file}: {which} has {len(columns)} columns, but there is one {role} a row: {cure}"
    )


def _listed(names: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown}, ... ({len(names)} columns)"
