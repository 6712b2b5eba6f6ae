"""Finds everything in an HDF5 file that can be rows."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np

from matexapps.data.hdf5.columns import Columns, compound_cells
from matexapps.data.hdf5.frames import frame_kind, read_frame
from matexapps.data.hdf5.layouts import Layout, Plain
from matexapps.data.hdf5.safety import attribute, check_plausible
from matexapps.data.schema.schema import Schema, default_names
from matexapps.errors import DataError

_CACHE_BYTES = 32 * 2**20
_MATLAB_NUMBERS = {"double", "single", "logical", "int8", "int16", "int32", "int64"} | {
    "uint8",
    "uint16",
    "uint32",
    "uint64",
}


@dataclass
class Contents:
    """Layouts of a file in its order, and why other items are left out, by full name."""

    layouts: list[Layout] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


def contents(file: Any, schema: Schema, file_bytes: int) -> Contents:
    """Return everything in an open file that can be rows.

    Parameters
    ----------
    file : h5py.File
    schema : Schema
        Its ``columns`` name the columns of a matrix with as many columns and no names.
    file_bytes : int

    Raises
    ------
    DataError
        If a dataset is larger than the file can hold, or names do not fit its columns.
    """
    names, frames = _listed(file)
    content = Contents()
    for name in names:
        if name in frames:
            frame = read_frame(file[name], frames[name], file_bytes)
            content.left_out.update(frame.left_out)
            if frame.layout is not None:
                content.layouts.append(frame.layout)
        else:
            _add_dataset(content, file, name, schema, file_bytes)
    return content


def _listed(file: Any) -> tuple[list[str], dict[str, str]]:
    """Return the paths of datasets and pandas tables, and the kinds of those tables."""
    names: list[str] = []
    frames: dict[str, str] = {}

    def visit(name: str, item: Any) -> None:
        parts = name.split("/")
        inside = any("/".join(parts[:i]) in frames for i in range(1, len(parts)))
        # MATLAB keeps the contents of cells, and PyTables its indexes, in groups with such names.
        if inside or any(part.startswith(("#", "_i_")) for part in parts):
            return
        kind = None if isinstance(item, h5py.Dataset) else frame_kind(item)
        if kind is not None:
            frames[name] = kind
        if kind is not None or isinstance(item, h5py.Dataset):
            names.append(name)

    file.visititems(visit)
    return names, frames


def _opened(file: Any, name: str) -> Any:
    """Open a dataset with a cache for the chunks that two consecutive reads share.

    Chunks that are not in the cache are read and decompressed again.
    """
    dataset = file[name]
    if dataset.chunks is None:
        return dataset
    row_of_chunks = dataset.chunks[0] * math.prod(dataset.shape[1:]) * dataset.dtype.itemsize
    # The library keeps the first cache of a dataset as long as it is open anywhere.
    del dataset
    access = h5py.h5p.create(h5py.h5p.DATASET_ACCESS)
    access.set_chunk_cache(521, max(min(2 * row_of_chunks, _CACHE_BYTES), 2**20), 1.0)
    path = name.encode("utf-8", "surrogateescape")
    return h5py.Dataset(h5py.h5d.open(file.id, path, access))


def _add_dataset(content: Contents, file: Any, name: str, schema: Schema, file_bytes: int) -> None:
    dataset = file[name]
    try:
        dtype = dataset.dtype
    except TypeError:
        content.left_out[name] = "its type is none that can be read"
        return
    if not dataset.shape or 0 in dataset.shape[1:]:
        content.left_out[name] = f"its shape is {dataset.shape}"
        return
    matlab = attribute(dataset, "MATLAB_class")
    check_plausible(dataset, file_bytes, reversed_axes=matlab is not None)
    del dataset
    dataset = _opened(file, name)
    if matlab is not None:
        _add_matlab(content, name, dataset, schema, _text(matlab))
    elif dtype.names and dataset.ndim == 1:
        cells, unusable = compound_cells(name, dtype)
        content.left_out.update(dict.fromkeys(unusable, f"its type is {dtype}"))
        if cells:
            content.layouts.append(Columns([dataset], cells))
    elif dtype.kind in "fiub":
        names, named = _columns(name, dataset, dataset.shape[1:], schema)
        content.layouts.append(Plain(name, dataset, names, named=named))
    elif h5py.check_string_dtype(dtype) is not None and dataset.ndim == 1:
        content.layouts.append(Plain(name, dataset, [_short(name)]))
    else:
        content.left_out[name] = f"its shape is {dataset.shape} and its type {dtype}"


def _add_matlab(content: Contents, name: str, dataset: Any, schema: Schema, kind: str) -> None:
    usable = kind in _MATLAB_NUMBERS and dataset.dtype.kind in "fiub" and dataset.ndim > 1
    if not usable or "MATLAB_empty" in dataset.attrs:
        content.left_out[name] = f"it is a MATLAB {kind}, or empty"
        return
    names, named = _columns(name, dataset, dataset.shape[::-1][1:], schema)
    content.layouts.append(Plain(name, dataset, names, named=named, reversed_axes=True))


def _columns(
    name: str, dataset: Any, shape: tuple[int, ...], schema: Schema
) -> tuple[list[str], bool]:
    """Return the names of a dataset's columns, and whether the file gives them."""
    if len(shape) != 1:
        return [_short(name)], False
    given = attribute(dataset, "columns")
    if given is None or isinstance(given, h5py.Empty):
        if shape[0] == 1:
            return [_short(name)], False
        fitting = schema.columns is not None and len(schema.columns) == shape[0]
        return list(schema.columns or ()) if fitting else default_names(shape[0]), False
    names = [_text(text) for text in np.ravel(given)]
    if len(names) != shape[0] or len(set(names)) != shape[0]:
        raise DataError(
            f"the dataset {name!r} has {shape[0]} columns, which need as many different names, "
            f"but its attribute 'columns' gives {len(names)}, {len(set(names))} of them different"
        )
    return names, True


def _short(name: str) -> str:
    return name.rpartition("/")[2]


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
