"""Chooses the datasets of an HDF5 file that a schema means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from matexapps.data.hdf5.contents import Contents
from matexapps.data.hdf5.layouts import Classes, Layout, Plain
from matexapps.data.schema.schema import Schema
from matexapps.data.sources.table import Variable
from matexapps.errors import DataError, did_you_mean


def choose(content: Contents, schema: Schema) -> list[Layout]:
    """Return the layouts that form one table, all with the same number of rows.

    The names in the schema decide; without names, whatever is called label; without that, whatever
    has the most rows. Datasets with another number of rows are left out. If features are not named,
    a table that names its columns takes precedence over matrices that do not.

    Raises
    ------
    DataError
        If the datasets that the schema asks for do not belong together, or cannot be read.
    """
    by_class = _by_class(content.layouts, schema)
    if by_class is not None:
        return [by_class]
    asked = _asked(content, schema)
    labels = [] if schema.label is not None else _called_label(content.layouts)
    rows = _rows(content.layouts, asked, labels)
    chosen = [layout for layout in content.layouts if layout.rows == rows]
    dropped = [layout for layout in content.layouts if layout.rows != rows]
    if len(chosen) == 1 and len(chosen[0].variables) == 1 and not chosen[0].is_wide and dropped:
        raise DataError(
            f"{_shown(chosen)} is one value a row, and nothing else has as many rows: "
            f"{_shown(dropped)}; say what belongs together with features= and label="
        )
    if schema.features is None:
        chosen = _without_rivals(chosen, asked, labels)
    _check_given_columns(chosen, schema)
    _check_classes(chosen, schema)
    return chosen


def named(layouts: Sequence[Layout], schema: Schema) -> dict[str, tuple[Variable, Layout]]:
    """Return all variables, by their full names, with names that are short.

    A short name is the last part of the path, if that is unique and the schema does not use the
    full path; this holds for datasets and for columns of their own.
    """
    held = [(variable, layout) for layout in layouts for variable in layout.variables]
    wanted = _wanted(schema)
    names = Counter(_last(variable.name) for variable, _ in held)
    columns = Counter(column for variable, _ in held for column in variable.columns)

    def renamed(variable: Variable) -> Variable:
        full = variable.name
        name = full if full in wanted or names[_last(full)] > 1 else _last(full)
        if len(variable.columns) > 1:
            paths = _full(variable)[1:]
            shown = [p if p in wanted else c for p, c in zip(paths, variable.columns, strict=True)]
        else:
            unclear = full in wanted or columns[variable.columns[0]] > 1
            shown = [full] if unclear else list(variable.columns)
        return replace(variable, name=name, columns=tuple(shown))

    return {variable.name: (renamed(variable), layout) for variable, layout in held}


def _wanted(schema: Schema) -> list[str]:
    """Return all names of columns and datasets that a schema uses."""
    features = [schema.features] if isinstance(schema.features, str) else schema.features
    given = [*(features or ()), schema.label, schema.weight, schema.key]
    return [name for name in given if isinstance(name, str)]


def _asked(content: Contents, schema: Schema) -> list[Layout]:
    asked: list[Layout] = []
    for name in _wanted(schema):
        exact = [x for x in content.layouts if any(name in _full(v) for v in x.variables)]
        holding = exact or [
            layout
            for layout in content.layouts
            if any(name in (_last(v.name), *v.columns) for v in layout.variables)
        ]
        if len(holding) > 1:
            raise DataError(
                f"{name!r} may be in each of {_shown(holding)}; say which by its whole path, such "
                f"as {_path_of(name, holding[0])!r}"
            )
        if not holding:
            for full, reason in content.left_out.items():
                if name in (full, _last(full)):
                    raise DataError(f"{full!r} cannot be read: {reason}")
        asked.extend(holding)
    return asked


def _full(variable: Variable) -> tuple[str, ...]:
    """Return the full names of a variable and of its columns."""
    if len(variable.columns) == 1:
        return (variable.name,)
    return (variable.name, *(f"{variable.name}/{column}" for column in variable.columns))


def _path_of(name: str, layout: Layout) -> str:
    variable = next(v for v in layout.variables if name in (_last(v.name), *v.columns))
    return variable.name if name == _last(variable.name) else f"{variable.name}/{name}"


def _called_label(layouts: Sequence[Layout]) -> list[Layout]:
    def has_label(variable: Variable) -> bool:
        return any(column.lower() in ("label", "labels") for column in variable.columns)

    return [layout for layout in layouts if any(map(has_label, layout.variables))]


def _rows(layouts: Sequence[Layout], asked: Sequence[Layout], labels: Sequence[Layout]) -> int:
    lengths = {layout.rows for layout in asked}
    if not lengths or not lengths & {layout.rows for layout in labels}:
        lengths |= {layout.rows for layout in labels}
    if len(lengths) > 1:
        raise DataError(
            f"the datasets must have as many rows each, not {_shown([*asked, *labels])}; say "
            "which belong together by their whole names in features= and label="
        )
    return lengths.pop() if lengths else max(layout.rows for layout in layouts)


def _without_rivals(
    chosen: list[Layout], asked: Sequence[Layout], labels: Sequence[Layout]
) -> list[Layout]:
    """Leave out matrices beside the only table that names its columns or holds the label."""
    tables = [layout for layout in chosen if layout.is_table]
    if len(tables) > 1:
        tables = [layout for layout in tables if layout in labels or layout in asked]
    if len(tables) != 1:
        return chosen

    def is_rival(layout: Layout) -> bool:
        is_matrix = layout.is_wide and len(layout.variables[0].shape) == 1
        return (is_matrix or layout.is_table) and layout not in tables and layout not in asked

    return [layout for layout in chosen if not is_rival(layout)]


def _by_class(layouts: Sequence[Layout], schema: Schema) -> Classes | None:
    if schema.classes is None or schema.label is not None:
        return None
    plain = {layout.variables[0].name: layout for layout in layouts if isinstance(layout, Plain)}
    missing = [name for name in schema.classes if name not in plain]
    if len(missing) == len(schema.classes):
        return None
    if missing:
        raise DataError(
            f"classes= names {missing[0]!r}, which is not a dataset, and others that are"
            f"{did_you_mean(missing[0], plain) or f'; the datasets are {_shown(layouts)}'}"
        )
    return Classes([plain[name] for name in schema.classes])


def _check_given_columns(chosen: Sequence[Layout], schema: Schema) -> None:
    nameless = [x for x in chosen if isinstance(x, Plain) and not x.is_table and x.is_wide]
    matrices = [x.variables[0] for x in nameless if len(x.variables[0].shape) == 1]
    widths = [len(matrix.columns) for matrix in matrices]
    if schema.columns is not None and widths and len(schema.columns) not in widths:
        raise DataError(
            f"columns= gives {len(schema.columns)} names, but the file has {_shown(nameless)}"
        )


def _check_classes(chosen: Sequence[Layout], schema: Schema) -> None:
    def is_label(name: str) -> bool:
        return name.lower() in ("label", "labels") if schema.label is None else name == schema.label

    for variable in (variable for layout in chosen for variable in layout.variables):
        names = (variable.name, *variable.columns)
        if schema.classes is not None and not variable.is_text and any(map(is_label, names)):
            raise DataError(
                f"classes= is for labels that are text, or names one dataset for each class, but "
                f"{variable.name!r} holds numbers: leave classes= out"
            )


def left_out(content: Contents, chosen: Sequence[Layout]) -> list[str]:
    """Describe what a file holds besides the layouts that were chosen."""
    used = {dataset.name for layout in chosen for dataset in layout.datasets}
    others = [layout for layout in content.layouts if not used & {d.name for d in layout.datasets}]
    return [*_described(others), *(f"{name}: {why}" for name, why in content.left_out.items())]


def _shown(layouts: Sequence[Layout]) -> str:
    texts = _described(layouts)
    return ", ".join(texts[:8]) + (", ..." if len(texts) > 8 else "")


def _described(layouts: Sequence[Layout]) -> list[str]:
    texts: list[str] = []
    for layout in layouts:
        name = layout.variables[0].name
        if layout.is_table and len(layout.variables) > 1:
            name = name.rpartition("/")[0]
        text = f"{name} ({layout.rows} rows)"
        if text not in texts:
            texts.append(text)
    return texts


def _last(name: str) -> str:
    return name.rpartition("/")[2]
