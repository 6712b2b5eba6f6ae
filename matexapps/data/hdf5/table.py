"""Reads HDF5: matrices, arrays, compound types, a dataset for each class, pandas and MATLAB.

Rows are read in slices, on demand.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import h5py
from numpy.typing import NDArray

from matexapps.data.hdf5.choice import choose, left_out, named
from matexapps.data.hdf5.contents import contents
from matexapps.data.hdf5.layouts import Plain
from matexapps.data.hdf5.safety import attribute, check_is_hdf5, check_storage, damage_named
from matexapps.data.schema.schema import Schema
from matexapps.data.sources.table import Table, plain_attributes
from matexapps.errors import DataError


class Hdf5Table(Table):
    """The datasets of an HDF5 file that form one table.

    Parameters
    ----------
    path : Path
        An HDF5 file.
    schema : Schema
        Says which datasets are meant, where there are several; its ``columns`` name the columns
        of a matrix that has no names, and its ``classes`` may name one dataset for each class.

    Raises
    ------
    DataError
        If this is not an HDF5 file, holds no rows, or it is ambiguous which are meant.
    """

    def __init__(self, path: Path, schema: Schema) -> None:
        self.path = path
        with damage_named(f"{path} is not a complete HDF5 file"):
            check_is_hdf5(path)
            self._file = h5py.File(path, "r", locking="best-effort")
        try:
            with _named(path), damage_named(f"{path} is not a complete HDF5 file"):
                self._open(schema)
        except BaseException:
            self._file.close()
            raise

    def _open(self, schema: Schema) -> None:
        self._bytes = self.path.stat().st_size
        content = contents(self._file, schema, self._bytes)
        if not content.layouts:
            held = "; ".join(f"{name!r}: {why}" for name, why in list(content.left_out.items())[:4])
            raise DataError(f"no dataset can be rows of numbers or texts{held and f' ({held})'}")
        layouts = choose(content, schema)
        by_name = named(layouts, schema)
        self.variables = [variable for variable, _ in by_name.values()]
        self._sources = {v.name: (full, layout) for full, (v, layout) in by_name.items()}
        self._layouts = layouts
        self.left_out = left_out(content, layouts)
        self._rows = layouts[0].rows

    def __len__(self) -> int:
        return self._rows

    @property
    def block_rows(self) -> int:
        """How many rows the widest of the datasets stores together."""
        return max(self._layouts, key=lambda layout: layout.row_bytes).block_rows

    def read(self, name: str, start: int, stop: int) -> NDArray[Any]:
        full, layout = self._sources[name]
        span = f"rows {start} to {stop - 1} (from 0)"
        with damage_named(f"{self.path}, dataset {full!r}, {span} cannot be read"):
            return layout.read(full, start, stop)

    def read_into(self, target: NDArray[Any], name: str, ranges: Sequence[tuple[int, int]]) -> None:
        full, layout = self._sources[name]
        with damage_named(f"{self.path}, dataset {full!r} cannot be read"):
            layout.read_into(target, full, ranges)

    def is_copied(self, name: str) -> bool:
        return self._sources[name][1].is_copied

    def check_storage(self) -> None:
        for layout in self._layouts:
            for dataset in layout.datasets:
                what = f"{self.path}, dataset {dataset.name!r} cannot be read"
                with _named(self.path), damage_named(what):
                    check_storage(dataset, self._bytes)

    def attributes(self, name: str | None = None) -> dict[str, Any]:
        item = self._file
        if name is not None:
            layout = self._sources[name][1]
            if not isinstance(layout, Plain):
                return {}
            item = layout.datasets[0]
        values: dict[str, Any] = {}
        for key in item.attrs:
            # Types that numpy lacks are neither texts nor numbers.
            with suppress(OSError, RuntimeError, TypeError, ValueError):
                values[key] = attribute(item, key)
        return plain_attributes(values)

    def close(self) -> None:
        for layout in self._layouts:
            layout.close()
        self._file.close()


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Prefix a message with the file's name unless it has it."""
    try:
        yield
    except DataError as error:
        text = str(error)
        raise DataError(text if str(path) in text else f"{path}: {text}") from None
