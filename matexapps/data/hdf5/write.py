"""Writes HDF5, in chunks of about 1 MiB that hold complete rows.

How variables are stored:

- If any of them is a matrix or an array, each is a dataset of its name. The attribute ``columns``
  of a matrix names its columns.
- If all have one value a row, and the numbers among them, besides a column called label, have the
  same type, these numbers are one matrix, the dataset ``features``. The label and each column of
  texts are datasets with their own names.
- Otherwise they are the fields of one compound dataset, called ``table``.

Texts have variable length, in UTF-8. Attributes of a variable, such as its units, are attributes of
its dataset; those of the columns of ``features`` become one list each, with a text for each column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from matexapps.data.schema.schema import label_column
from matexapps.data.sources.table import BLOCK_BYTES, Variable, chunk_rows, named_columns
from matexapps.errors import DataError

_MATRIX, _COMPOUND = "features", "table"
# A chunk is written when it is full, so the cache has to hold it.
_CACHE_BYTES = 2 * BLOCK_BYTES


@dataclass(frozen=True)
class _Target:
    """A dataset, and the variables that it holds.

    Attributes
    ----------
    name : str
    columns : tuple of str
        Names of its fields, if it is compound, or of its columns.
    sources : tuple of Variable
    shape : tuple of int
        Of one row.
    dtype : numpy.dtype
    """

    name: str
    columns: tuple[str, ...]
    sources: tuple[Variable, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return self.dtype.itemsize * int(np.prod(self.shape, dtype=np.int64))

    def rows(self, block: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """Return what to write for some rows of the sources."""
        arrays = [block[source.name] for source in self.sources]
        if self.dtype.names is not None:
            table = np.empty(len(arrays[0]), self.dtype)
            for field, values in zip(self.dtype.names, arrays, strict=True):
                table[field] = values
            return table
        if self.shape and not self.sources[0].shape:
            return np.stack(arrays, axis=1)
        return arrays[0]


class Hdf5Writer:
    """An HDF5 file that is written in blocks of rows.

    Parameters
    ----------
    path : Path
    variables : sequence of Variable
    rows : int
        Total number of rows.
    attributes : mapping of variable name, or None, to mapping
        Of the variables, and of the file for None.
    compress : bool
        Whether to compress the datasets: gzip after shuffling the bytes.

    Raises
    ------
    DataError
        If HDF5 cannot hold such variables.
    """

    def __init__(
        self,
        path: Path,
        variables: Sequence[Variable],
        rows: int,
        attributes: Mapping[str | None, Mapping[str, Any]],
        *,
        compress: bool,
    ) -> None:
        # This version allows attributes of any size, such as names of many columns.
        self._file = h5py.File(
            path, "w", libver=("v108", "latest"), rdcc_nbytes=_CACHE_BYTES, rdcc_nslots=1009
        )
        self._targets = _targets(variables)
        self._at = 0
        together = chunk_rows(rows, [target.row_bytes for target in self._targets])
        storage = {"compression": "gzip", "shuffle": True} if compress else {}
        try:
            for target in self._targets:
                dataset = self._file.create_dataset(
                    target.name,
                    (rows, *target.shape),
                    target.dtype,
                    chunks=(together, *target.shape),
                    **storage,
                )
                _describe(dataset, target, attributes)
            self._file.attrs.update(attributes.get(None, {}))
        except (ValueError, RuntimeError, OSError, TypeError) as error:
            self._file.close()
            raise _refused(target, error) from None
        except BaseException:
            self._file.close()
            raise

    def write(self, block: Mapping[str, NDArray[Any]]) -> None:
        """Add rows: the arrays of all variables by name."""
        stop = self._at
        for target in self._targets:
            values = target.rows(block)
            stop = self._at + len(values)
            self._file[target.name][self._at : stop] = values
        self._at = stop

    def close(self) -> None:
        """Finish the file."""
        self._file.close()


def _targets(variables: Sequence[Variable]) -> list[_Target]:
    columns = named_columns(variables)
    if any(variable.shape for variable in variables):
        return [_own(variable.name, variable) for variable in variables]
    label = label_column([name for name, _, _ in columns])
    inside = [(n, v) for n, v, _ in columns if n != label and not v.is_text]
    apart = [(n, v) for n, v, _ in columns if n == label or v.is_text]
    if len({v.dtype for _, v in inside}) == 1 and all(_is_simple(name) for name, _ in apart):
        names, sources = tuple(n for n, _ in inside), tuple(v for _, v in inside)
        matrix = _Target(_MATRIX, names, sources, (len(names),), sources[0].dtype)
        return [matrix, *(_own(name, variable) for name, variable in apart)]
    names = tuple(name for name, _, _ in columns)
    if not all(names):
        raise DataError(
            f"column {names.index('')} (from 0) has no name, which a table of HDF5 needs: give it "
            "one in the file's first line"
        )
    fields = [(name, _stored_type(variable)) for name, variable, _ in columns]
    return [_Target(_COMPOUND, names, tuple(v for _, v, _ in columns), (), np.dtype(fields))]


def _own(name: str, variable: Variable) -> _Target:
    """Return a dataset for one variable."""
    dtype = np.dtype(_stored_type(variable))
    return _Target(name, variable.columns, (variable,), variable.shape, dtype)


def _is_simple(name: str) -> bool:
    """Whether a dataset can have this name, and be found by it again."""
    return bool(name.strip(".")) and "/" not in name and name != _MATRIX


def _stored_type(variable: Variable) -> Any:
    return h5py.string_dtype() if variable.is_text else variable.dtype


def _describe(
    dataset: Any, target: _Target, attributes: Mapping[str | None, Mapping[str, Any]]
) -> None:
    if len(target.shape) == 1:
        dataset.attrs["columns"] = np.array(target.columns, h5py.string_dtype())
    given = [attributes.get(source.name, {}) for source in target.sources]
    if len(given) == 1:
        dataset.attrs.update(given[0])
        return
    for name in dict.fromkeys(name for values in given for name in values):
        held = [values.get(name, "") for values in given]
        if all(isinstance(value, str) for value in held):
            dataset.attrs[name] = np.array(held, h5py.string_dtype())


def _refused(target: _Target, error: Exception) -> DataError:
    if target.dtype.names is not None and "too large" in str(error):
        return DataError(
            f"{len(target.columns)} columns of several types are too many for one table of HDF5: "
            "give all numbers one type, as with dtype='float32', so that they become one matrix"
        )
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return DataError(f"HDF5 cannot hold {target.name!r}: {reason}; rename it")
