"""One shard of a columnar copy: an HDF5 file with a rank's share of the rows of a CSV file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from matexapps.data.csv.columns import KEY_DTYPES, TEXT_KEY, Block, CsvColumns, key_values
from matexapps.data.hdf5.table import Hdf5Table
from matexapps.data.schema.schema import Schema
from matexapps.data.sources.table import BLOCK_BYTES, rows_in
from matexapps.data.sources.table_reader import TableReader
from matexapps.errors import DataError

_CACHE_BYTES = 8 * BLOCK_BYTES


class ShardReader(TableReader):
    """Rows of a shard.

    Parameters
    ----------
    path : Path
    wanted : CsvColumns
        The columns that it was written with.

    Raises
    ------
    DataError
        If it is damaged.
    """

    def __init__(self, path: Path, wanted: CsvColumns) -> None:
        # Names are set afterwards, so that none of them is mistaken for one of the datasets.
        schema = Schema(
            features="features",
            label="label",
            weight=None if wanted.roles.weight is None else "weight",
            key=None if wanted.roles.key is None else "key",
            missing=math.nan if wanted.missing.nan or wanted.missing.values else None,
        )
        super().__init__(Hdf5Table(path, schema), schema)
        self.columns = wanted.features


def write_shard(path: Path, blocks: Iterator[Block], wanted: CsvColumns, kind: int) -> int | None:
    """Write blocks as they arrive and return the number of rows.

    Parameters
    ----------
    path : Path
        Overwritten if it exists.
    blocks : iterator of Block
    wanted : CsvColumns
    kind : int
        Type of the key, see :func:`~matexapps.data.csv.columns.key_values`.

    Returns
    -------
    int or None
        None if the key is not of this type; then the shard cannot be used.

    Raises
    ------
    DataError
        If the file cannot be written, for example because the disk is full.
    """
    try:
        path.touch(mode=0o600)
        file = h5py.File(path, "w", rdcc_nbytes=_CACHE_BYTES)
    except OSError as error:
        raise _unwritable(path, error) from None
    rows = 0
    with file:
        shard = _Shard(file, wanted, kind)
        for block in blocks:
            key = None if block.key is None else key_values(block.key, kind)
            if block.key is not None and key is None:
                return None
            try:
                shard.append(block, key)
            except (OSError, RuntimeError) as error:
                raise _unwritable(path, error) from None
            rows += len(block)
    return rows


class _Shard:
    """The datasets of a shard while it is written."""

    def __init__(self, file: Any, wanted: CsvColumns, kind: int) -> None:
        width = len(wanted.features)
        dtypes: dict[str, Any] = {"features": np.float32, "label": np.float64}
        if wanted.roles.weight is not None:
            dtypes["weight"] = np.float64
        if wanted.roles.key is not None:
            dtypes["key"] = h5py.string_dtype() if kind == TEXT_KEY else KEY_DTYPES[kind]
        self._datasets = {}
        for name, dtype in dtypes.items():
            shape = (width,) if name == "features" else ()
            chunk = rows_in(BLOCK_BYTES, 4 * width if shape else 8)
            self._datasets[name] = file.create_dataset(
                name, (0, *shape), dtype, maxshape=(None, *shape), chunks=(chunk, *shape)
            )
        self._rows = 0

    def append(self, block: Block, key: NDArray[Any] | None) -> None:
        start, self._rows = self._rows, self._rows + len(block)
        arrays = {"features": block.features, "label": block.label}
        arrays |= {} if block.weight is None else {"weight": block.weight}
        arrays |= {} if key is None else {"key": key}
        for name, values in arrays.items():
            dataset = self._datasets[name]
            dataset.resize(self._rows, axis=0)
            dataset[start:] = values


def _unwritable(path: Path, error: Exception) -> DataError:
    return DataError(
        f"the copy {path} cannot be written ({error}): make room, or set MATEXAPPS_CACHE to "
        "another folder"
    )
