"""Tables that pandas wrote with ``DataFrame.to_hdf``, in its "fixed" and its "table" format.

Some column names are in pickled attributes. They are never unpickled, see
:mod:`matexapps.data.hdf5.pickled_names`; if they cannot be read, the names of the fields are used.
The fixed format pickles columns of objects, so these are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from matexapps.data.hdf5.columns import Cell, Columns
from matexapps.data.hdf5.pickled_names import pickled_names
from matexapps.data.hdf5.safety import attribute, check_plausible
from matexapps.data.sources.table import Variable

KINDS = ("frame", "frame_table")


@dataclass
class Frame:
    """A table of pandas: its columns, and why some are left out.

    Attributes
    ----------
    layout : Columns or None
        None if no column can be read.
    left_out : dict of str to str
        The reason, by full name.
    """

    layout: Columns | None
    left_out: dict[str, str]


def frame_kind(group: Any) -> str | None:
    """Return what kind of pandas table this group is, or None."""
    kind = _text(attribute(group, "pandas_type"))
    return kind if kind in KINDS else None


def read_frame(group: Any, kind: str, file_bytes: int) -> Frame:
    """Return the columns of a pandas table, in the table's order.

    Parameters
    ----------
    group : h5py.Group
    kind : {"frame", "frame_table"}
    file_bytes : int
        Size of the whole file.

    Raises
    ------
    DataError
        If a dataset in it is larger than the file can hold.
    """
    read = _fixed if kind == "frame" else _table
    datasets, cells, left_out, order = read(group, file_bytes)
    key = group.name.strip("/")
    ranks = {f"{key}/{name}": i for i, name in enumerate(order)}
    cells.sort(key=lambda cell: ranks.get(cell.variable.name, len(ranks)))
    names = [cell.variable.name for cell in cells]
    if len(set(names)) < len(names):
        left_out.update(dict.fromkeys(names, "another column has the same name"))
        cells = []
    return Frame(Columns(datasets, cells) if cells else None, left_out)


_Columns = tuple[list[Any], list[Cell], dict[str, str], list[str]]


def _fixed(group: Any, file_bytes: int) -> _Columns:
    key = group.name.strip("/")
    datasets: list[Any] = []
    cells: list[Cell] = []
    left_out: dict[str, str] = {}
    if "axis0" not in group:
        return datasets, cells, {key: "its columns have names of several levels"}, []
    order = _items(group["axis0"], file_bytes)
    for block in sorted(name for name in group if name.endswith("_values")):
        values = group[block]
        items = _items(group[block.removesuffix("_values") + "_items"], file_bytes)
        if values.dtype.kind not in "fiub":
            reason = (
                "pandas has pickled it, and nothing is unpickled here; write the table again with "
                "to_hdf(..., format='table')"
            )
            left_out.update({f"{key}/{item}": reason for item in items})
            continue
        check_plausible(values, file_bytes)
        if values.ndim != 2 or values.shape[1] != len(items):
            left_out.update({f"{key}/{item}": "its block has another shape" for item in items})
            continue
        dtype = values.dtype.newbyteorder("=")
        for column, item in enumerate(items):
            variable = Variable(f"{key}/{item}", (item,), (), dtype)
            cells.append(Cell(variable, len(datasets), None, column))
        datasets.append(values)
    if len({len(dataset) for dataset in datasets}) > 1:
        left_out.update({cell.variable.name: "its blocks differ in length" for cell in cells})
        cells = []
    return datasets, cells, left_out, order


def _table(group: Any, file_bytes: int) -> _Columns:
    key = group.name.strip("/")
    table = group["table"]
    check_plausible(table, file_bytes)
    cells: list[Cell] = []
    left_out: dict[str, str] = {}
    for field in table.dtype.names or ():
        if field == "index":
            continue
        base, shape = table.dtype[field].base, table.dtype[field].shape
        width = shape[0] if len(shape) == 1 else 1
        names = pickled_names(attribute(table, f"{field}_kind"))
        if len(names) != width:
            names = [field] if width == 1 else [f"{field}_{i}" for i in range(width)]
        category = _text(attribute(table, f"{field}_meta")) == "category"
        is_text = h5py.check_string_dtype(base) is not None
        if category or len(shape) > 1 or not (is_text or base.kind in "fiub"):
            reason = "it holds categories of pandas; write it again as text or numbers"
            left_out.update({f"{key}/{n}": reason if category else f"type {base}" for n in names})
            continue
        dtype = np.dtype(object) if is_text else base.newbyteorder("=")
        for column, name in enumerate(names):
            variable = Variable(f"{key}/{name}", (name,), (), dtype)
            cells.append(Cell(variable, 0, field, column if shape else None))
    return [table], cells, left_out, pickled_names(attribute(group, "non_index_axes"))


def _items(dataset: Any, file_bytes: int) -> list[str]:
    check_plausible(dataset, file_bytes)
    if dataset.ndim != 1 or dataset.dtype.kind not in "Sfiub":
        return []
    return [v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in dataset[:]]


def _text(value: Any) -> str | None:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
