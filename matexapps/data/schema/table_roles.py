"""Which column of a table plays which role, and which cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matexapps.data.schema.encoding import check_declared
from matexapps.data.schema.schema import Roles, Schema, label_column
from matexapps.data.sources.table import Table, Variable, named_columns
from matexapps.errors import DataError


@dataclass(frozen=True)
class TableColumn:
    """A column of a table: its name, its variable, and which column of that."""

    name: str
    variable: Variable
    column: int

    @property
    def is_array(self) -> bool:
        """Whether it holds an array for each row."""
        return len(self.variable.shape) > 1


def table_roles(table: Table, schema: Schema) -> tuple[list[TableColumn], Roles]:
    """Return all columns of a table, and the positions of those that a schema asks for.

    Raises
    ------
    DataError
        If a wanted column does not exist, or cannot play its role.
    """
    columns = [TableColumn(*named) for named in named_columns(table.variables)]
    groups: dict[str, list[int]] = {}
    for position, column in enumerate(columns):
        groups.setdefault(column.variable.name, []).append(position)
    default = None if schema.features is not None else _only_matrix(table, schema, groups)
    names = [column.name for column in columns]
    roles = schema.roles(names, str(table.path), groups, default)
    if not len(table):
        raise DataError(f"{table.path} has no rows")
    _check_features([columns[i] for i in roles.features], schema, table.path)
    for role, single in (("label", roles.label), ("weight", roles.weight), ("key", roles.key)):
        if single is not None:
            _check_single(role, columns[single], schema, table.path)
    return columns, roles


def _only_matrix(
    table: Table, schema: Schema, groups: Mapping[str, Sequence[int]]
) -> Sequence[int] | None:
    """Return the columns of the only variable with several values a row; None if there is none.

    Raises
    ------
    DataError
        If there are several besides the label.
    """
    wide = [v for v in table.variables if len(v.shape) > 1 or len(v.columns) > 1]
    named = isinstance(schema.label, str)
    label = schema.label if named else label_column([v.name for v in wide])
    wide = [v for v in wide if v.name != label]
    if len(wide) > 1:
        held = ", ".join(f"{v.name} {v.shape} a row" for v in wide)
        cure = "say which with features='its name'"
        if len(wide[0].shape) > 1 and len({v.shape for v in wide}) == 1:
            cure += f", or features={[v.name for v in wide]} for all of them as channels"
        raise DataError(
            f"{table.path} holds several arrays that may be the features: {held}; {cure}"
        )
    return groups[wide[0].name] if wide else None


def _check_features(features: Sequence[TableColumn], schema: Schema, path: Path) -> None:
    names = [column.name for column in features]
    categories = schema.categories or {}
    check_declared(categories, names)
    shapes = {column.variable.shape if column.is_array else () for column in features}
    if len(shapes) > 1:
        held = ", ".join(f"{column.name!r} {column.variable.shape} a row" for column in features)
        raise DataError(
            f"{path}: arrays of one shape can be the features together, as channels, but these "
            f"are {held}: choose with features="
        )
    for column in features:
        if column.variable.is_text and column.name not in categories:
            raise DataError(
                f"{path}: the column {column.name!r} holds text; declare its values "
                f"with categories={{{column.name!r}: [...]}}, or leave it out of features="
            )


def _check_single(role: str, column: TableColumn, schema: Schema, path: Path) -> None:
    if column.is_array:
        raise DataError(f"{path}: the {role} {column.name!r} is an array, not one value a row")
    if role == "weight" and column.variable.is_text:
        raise DataError(f"{path}: the weight {column.name!r} holds text, not numbers")
    if role == "label" and column.variable.is_text and schema.classes is None:
        raise DataError(
            f"{path}: the label {column.name!r} holds text; name its values in the order of "
            "their numbers with classes=(...)"
        )
