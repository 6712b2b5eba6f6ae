"""Rows in memory: features, label, weight, and where each row came from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from matexapps.comm.communicator import Communicator
from matexapps.data.part import Part
from matexapps.data.schema.labels import LabelFacts
from matexapps.data.schema.missing import Missing, bad_value
from matexapps.data.schema.schema import default_names
from matexapps.errors import DataError

if TYPE_CHECKING:
    import torch

    from matexapps.data.loading.batch import Loader

_PIECE_BYTES = 2**20


@dataclass(frozen=True, eq=False)
class Rows(Part):
    """Rows of one table, as plain numpy arrays.

    Attributes
    ----------
    features : ndarray of float32, shape (rows, columns) or (rows, *sample shape), C-contiguous
        What a model sees: a row of numbers, or an array such as an image. NaN stands only where a
        missing value was declared.
    label : ndarray of float32 or int64, shape (rows,)
        float32 for 0/1 labels and for regression, int64 for the numbers of several classes.
    weight : ndarray of float64, shape (rows,), or None
        Weight of each row; None where every row counts the same.
    ids : ndarray of int64, shape (rows,)
        Row numbers in the source, from 0; a header is not counted.
    columns : list of str
        Names of the feature columns; where samples are arrays, one name, or those of their
        channels.
    key : ndarray, shape (rows,), or None
        The value that decides the split: a group, a time, or the part itself.
    """

    features: NDArray[np.float32]
    label: NDArray[Any]
    weight: NDArray[np.float64] | None
    ids: NDArray[np.int64]
    columns: list[str]
    key: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        shape, names = self.features.shape, len(self.columns)
        is_one_array = len(shape) > 2 and names == 1
        if len(shape) < 2 or not (is_one_array or names == shape[1]):
            raise DataError(
                f"features of shape {self.features.shape} do not fit {len(self.columns)} column "
                "names: give one row per example and one column per name"
            )
        for name, values in (
            ("label", self.label),
            ("weight", self.weight),
            ("ids", self.ids),
            ("key", self.key),
        ):
            if values is not None and values.shape != (len(self.features),):
                raise DataError(
                    f"{name} has shape {values.shape} beside {len(self.features)} rows of "
                    "features: give one value per row"
                )

    @classmethod
    def from_arrays(
        cls,
        features: ArrayLike,
        label: ArrayLike,
        weight: ArrayLike | None = None,
        columns: Sequence[str] | None = None,
        missing: float | Sequence[float] | None = None,
    ) -> Rows:
        """Make rows from anything numpy understands, numbered from 0.

        The label becomes float32 or int64 by the rule of
        :attr:`~matexapps.data.schema.labels.LabelFacts.dtype`; ``missing`` is explained in
        :mod:`matexapps.data.schema.missing`.

        Raises
        ------
        DataError
            If shapes do not fit, or a value is not a finite number and not declared missing.
        """
        matrix = _numbers("features", features, np.float32)
        width = matrix.shape[-1] if matrix.ndim == 2 else 1
        names = list(columns) if columns is not None else default_names(width)
        values = _numbers("label", label, np.float64)
        weights = None if weight is None else _numbers("weight", weight, np.float64)
        ids = np.arange(len(matrix), dtype=np.int64)
        if values.shape != ids.shape:
            raise DataError(
                f"label has shape {values.shape} beside {len(ids)} rows of features: give one "
                "value per row"
            )
        rows = cls(
            features=matrix,
            label=values.astype(LabelFacts.of(values, ids).dtype),
            weight=weights,
            ids=ids,
            columns=names,
        )
        declared = Missing.declared(missing)
        bad = declared.first_bad(matrix)
        if bad is not None:
            row, column = bad
            value = float(matrix.reshape(len(matrix), -1)[row, column])
            where = f"column {names[column]!r}" if matrix.ndim == 2 else f"value {column}"
            raise DataError(f"features, row {row}, {where}: {bad_value(value)}")
        for name, array in (("label", values), ("weight", weights)):
            if array is not None and not np.isfinite(array).all():
                row = int(np.argmin(np.isfinite(array)))
                raise DataError(f"{name}, row {row}: {array[row]} is not a finite number")
        declared.to_nan(matrix)
        return rows

    def __len__(self) -> int:
        return len(self.label)

    def take(self, indices: NDArray[np.int64] | slice) -> Rows:
        """Return the rows at these positions, in this order; a slice shares memory."""
        return Rows(
            features=self.features[indices],
            label=self.label[indices],
            weight=None if self.weight is None else self.weight[indices],
            ids=self.ids[indices],
            columns=self.columns,
            key=None if self.key is None else self.key[indices],
        )

    def between(self, start: int, stop: int) -> Iterator[Rows]:
        """Yield rows ``start`` to ``stop - 1``, some at a time; they share memory with these."""
        row_bytes = max(1, self.features.nbytes // max(1, len(self)))
        step = max(1, _PIECE_BYTES // row_bytes)
        for first in range(start, stop, step):
            yield self.take(slice(first, min(first + step, stop)))

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one row's features."""
        return self.features.shape[1:]

    def open_loader(
        self, batch_size: int, comm: Communicator, device: torch.device, seed: int = 0
    ) -> Loader:
        """Return what gives this rank its part of each global batch of ``batch_size`` rows."""
        from matexapps.data.loading.resident import ResidentLoader

        return ResidentLoader(self, batch_size, comm.rank, comm.world_size, device, seed)

    def to_pandas(self) -> pd.DataFrame:
        """Return a table of the features, then ``label`` and, if there is one, ``weight``.

        The index is the row number in the source.

        Raises
        ------
        DataError
            If the samples are arrays, which do not fit into a cell.
        """
        if self.features.ndim > 2:
            raise DataError(
                f"samples of shape {self.features.shape[1:]} do not fit into the cells of a table: "
                "use .features and .label, which are numpy arrays"
            )
        frame = pd.DataFrame(self.features, columns=self.columns, index=pd.Index(self.ids))
        frame.insert(len(frame.columns), "label", self.label, allow_duplicates=True)
        if self.weight is not None:
            frame.insert(len(frame.columns), "weight", self.weight, allow_duplicates=True)
        return frame

    def digest(self) -> str:
        """Return a fingerprint of names and values: equal rows, equal text."""
        state = hashlib.blake2b("\0".join(self.columns).encode(), digest_size=16)
        for array in (self.features, self.label, self.weight, self.ids):
            if array is not None:
                state.update(f"{array.dtype.str}{array.shape}".encode())
                state.update(np.ascontiguousarray(array).view(np.uint8).data)
        return state.hexdigest()


def _numbers(name: str, values: ArrayLike, dtype: type[np.floating[Any]]) -> NDArray[Any]:
    """Return a C-contiguous copy of ``values`` of type ``dtype``."""
    try:
        return np.array(values, dtype=dtype, order="C")
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} cannot be read as an array of numbers: {error}") from None


def concatenate(pieces: Sequence[Rows]) -> Rows:
    """Return the rows of one or more pieces, concatenated."""
    first = pieces[0]
    if len(pieces) == 1:
        return first

    def joined(name: str) -> Any:
        arrays = [getattr(piece, name) for piece in pieces]
        return None if arrays[0] is None else np.concatenate(arrays)

    return Rows(
        joined("features"),
        joined("label"),
        joined("weight"),
        joined("ids"),
        first.columns,
        joined("key"),
    )


def gather_rows(read: Callable[[], Rows], comm: Communicator) -> Rows:
    """Return what every rank's ``read`` returns, joined in rank order, on every rank. Collective.

    The row numbers count through all of them. An exception on one rank is raised on all.

    Parameters
    ----------
    read : function
        Returns this rank's rows; all with the same columns, weighted or not.
    comm : Communicator
    """
    rows = comm.on_all(read)
    if comm.world_size == 1:
        return rows
    features = comm.all_gather_rows(rows.features)
    return Rows(
        features=features,
        label=comm.all_gather_rows(rows.label),
        weight=None if rows.weight is None else comm.all_gather_rows(rows.weight),
        ids=np.arange(len(features), dtype=np.int64),
        columns=rows.columns,
        key=None if rows.key is None else np.concatenate(comm.all_gather_object(rows.key)),
    )
