"""Which columns of a table play which part, and what cannot play it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matexapps.data.schema.encoding import check_known
from matexapps.data.schema.schema import Roles, Schema, label_column
from matexapps.data.sources.table import Table, Variable, named_columns
from matexapps.errors import DataError, did_you_mean


@dataclass(frozen=True)
class Place:
    """Where a column stands: its name, its variable, and which column of it."""

    name: str
    variable: Variable
    column: int

    @property
    def is_array(self) -> bool:
        """Whether it holds an array for each row."""
        return len(self.variable.shape) > 1


def table_roles(table: Table, schema: Schema) -> tuple[list[Place], Roles]:
    """Return all columns of a table, and the positions of those that a schema asks for.

    Raises
    ------
    DataError
        If a wanted column is not there, or cannot play its part.
    """
    places = [Place(*found) for found in named_columns(table.variables)]
    groups: dict[str, list[int]] = {}
    for position, place in enumerate(places):
        groups.setdefault(place.variable.name, []).append(position)
    default = None if schema.features is not None else _only_matrix(table, schema, groups)
    names = [place.name for place in places]
    roles = schema.roles(names, str(table.path), groups, default)
    if not len(table):
        raise DataError(f"{table.path} holds no row")
    _check_features([places[i] for i in roles.features], schema, table.path)
    for role, single in (("label", roles.label), ("weight", roles.weight), ("key", roles.key)):
        if single is not None:
            _check_single(role, places[single], schema, table.path)
    return places, roles


def _only_matrix(
    table: Table, schema: Schema, groups: Mapping[str, Sequence[int]]
) -> Sequence[int] | None:
    """Return the columns of the only variable that is more than one value a row; None if none is.

    Raises
    ------
    DataError
        If several are, besides the label.
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


def _check_features(features: Sequence[Place], schema: Schema, path: Path) -> None:
    names = [place.name for place in features]
    categories = schema.categories or {}
    for name, known in categories.items():
        check_known(f"categories={{{name!r}: ...}}", known)
        if name not in names:
            raise DataError(
                f"categories= names {name!r}, which is no feature{did_you_mean(name, names)}"
            )
    shapes = {place.variable.shape if place.is_array else () for place in features}
    if len(shapes) > 1:
        held = ", ".join(f"{place.name!r} {place.variable.shape} a row" for place in features)
        raise DataError(
            f"{path}: arrays of one shape can be the features together, as channels, but these "
            f"are {held}: choose with features="
        )
    for place in features:
        if place.variable.is_text and place.name not in categories:
            raise DataError(
                f"{path}: the column {place.name!r} holds text; declare its values "
                f"with categories={{{place.name!r}: [...]}}, or leave it out of features="
            )


def _check_single(role: str, place: Place, schema: Schema, path: Path) -> None:
    if place.is_array:
        raise DataError(f"{path}: the {role} {place.name!r} is an array, not one value a row")
    if role == "weight" and place.variable.is_text:
        raise DataError(f"{path}: the weight {place.name!r} holds text, not numbers")
    if role == "label" and place.variable.is_text and schema.classes is None:
        raise DataError(
            f"{path}: the label {place.name!r} holds text; name its values in the order of "
            "their numbers with classes=(...)"
        )
