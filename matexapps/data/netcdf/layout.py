"""The variables of a NetCDF file, and the dimension that its rows run along."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import netCDF4
import numpy as np

from matexapps.data.schema.schema import Schema
from matexapps.errors import DataError, did_you_mean


@dataclass(frozen=True, eq=False)
class StoredArray:
    """One variable of a file, as it is stored.

    Attributes
    ----------
    name : str
        With its groups, as in ``"group/name"``.
    dimensions : tuple of str
        Names of its axes, with the groups that define them. The second axis of single characters is
        their position in a text.
    shape : tuple of int
    dtype : numpy.dtype
        Of what is stored: ``S1`` for single characters, object for strings.
    attributes : mapping
    chunks : tuple of int, or None
        Shape of what is compressed together; None if all ranges are equally cheap.
    source : netCDF4.Variable
        Gives stored values without conversion.
    """

    name: str
    dimensions: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    attributes: Mapping[str, Any]
    chunks: tuple[int, ...] | None
    source: Any

    @property
    def is_text(self) -> bool:
        """Whether it holds texts: strings, or single characters."""
        return self.dtype.kind in "OS"

    @property
    def is_coordinate(self) -> bool:
        """Whether it is the coordinate variable of the dimension with its name."""
        return self.dimensions[:1] == (self.name,)

    def gives_rows_along(self, dimension: str) -> bool:
        """Whether it has one value for each index of ``dimension``: numbers, or one text."""
        if not self.is_text:
            return dimension in self.dimensions
        axes = 2 if self.dtype.kind == "S" else 1
        return self.dimensions[:1] == (dimension,) and len(self.dimensions) <= axes


def stored_arrays(file: netCDF4.Dataset) -> list[StoredArray]:
    """Return the variables of a file and all its groups that hold numbers or texts.

    Single values without a dimension are left out, and so are compound, opaque and
    variable-length types.
    """
    return [
        _stored_array(group, name, source)
        for group in _groups(file)
        for name, source in group.variables.items()
        if source.ndim and _is_plain(source)
    ]


def row_dimension(
    arrays: Sequence[StoredArray], unlimited: Sequence[str], schema: Schema, file: str
) -> str:
    """Return the dimension that the rows run along.

    It is the one that ``schema.dimension`` names; otherwise that of a variable called label;
    otherwise the unlimited one, if there is just one; otherwise the one that is the first axis of
    more variables than any other.

    Raises
    ------
    DataError
        If the named one does not exist, or none of these rules chooses one.
    """
    lengths = {d: n for array in arrays for d, n in zip(array.dimensions, array.shape, strict=True)}
    if schema.dimension is not None:
        return _named(schema.dimension, lengths, file)
    labels = [array for array in arrays if _is_label(array, schema)]
    if len(labels) == 1:
        return labels[0].dimensions[0]
    growing = [dimension for dimension in lengths if dimension in unlimited]
    if len(growing) == 1:
        return growing[0]
    first_axes = Counter(a.dimensions[0] for a in arrays if not a.is_coordinate)
    most = [d for d, count in first_axes.items() if count == max(first_axes.values())]
    if len(most) == 1:
        return most[0]
    raise DataError(
        f"{file}: its rows may run along {_listed(lengths)}; say which with dimension='its name'"
    )


def _named(wanted: str, lengths: Mapping[str, int], file: str) -> str:
    if wanted in lengths:
        return wanted
    raise DataError(
        f"{file} has no variable along dimension={wanted!r}; "
        f"its variables have {_listed(lengths)}{did_you_mean(wanted, lengths)}"
    )


def _is_label(array: StoredArray, schema: Schema) -> bool:
    names = (array.name, _last(array.name))
    if schema.label is None:
        called = names[1].lower() in ("label", "labels")
    else:
        called = schema.label in names
    return called and (len(array.shape) == 1 or array.is_text)


def _stored_array(group: Any, name: str, source: Any) -> StoredArray:
    chunks = source.chunking()
    return StoredArray(
        name=_path(group, name),
        dimensions=tuple(_path(d.group(), d.name) for d in source.get_dims()),
        shape=tuple(map(int, source.shape)),
        dtype=np.dtype(object) if source.dtype is str else source.dtype,
        attributes={key: source.getncattr(key) for key in source.ncattrs()},
        chunks=tuple(map(int, chunks)) if isinstance(chunks, list | tuple) else None,
        source=source,
    )


def _is_plain(source: Any) -> bool:
    if source.dtype is str:
        return True
    variable_length = isinstance(source.datatype, netCDF4.VLType)
    return not variable_length and np.dtype(source.dtype).kind in "iufS"


def _groups(group: Any) -> Iterator[Any]:
    yield group
    for inner in group.groups.values():
        yield from _groups(inner)


def unlimited_dimensions(file: netCDF4.Dataset) -> list[str]:
    """Return the names of the dimensions that can grow, with the groups that define them."""
    return [
        _path(group, name)
        for group in _groups(file)
        for name, dimension in group.dimensions.items()
        if dimension.isunlimited()
    ]


def _path(group: Any, name: str) -> str:
    return f"{group.path}/{name}".lstrip("/")


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def _listed(lengths: Mapping[str, int], most: int = 8) -> str:
    shown = ", ".join(f"{name!r} ({length})" for name, length in list(lengths.items())[:most])
    return shown if len(lengths) <= most else f"{shown}, ... ({len(lengths)} dimensions)"
