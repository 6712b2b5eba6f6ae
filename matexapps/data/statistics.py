"""Mean and spread of each column, computed in pieces and merged exactly.

Counts, means and sums of squared deviations are merged by the formulas of Chan, Golub and LeVeque
(Updating formulae and a pairwise algorithm for computing sample variances, 1979), so that neither
the cut into pieces nor the number of ranks matters beyond the last bits of a float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from matexapps.comm.communicator import Communicator
from matexapps.data.part import Part
from matexapps.data.partition import share


@dataclass(frozen=True)
class Statistics:
    """Statistics of each feature column.

    Attributes
    ----------
    columns : list of str
    count, missing : ndarray of int64, shape (columns,) or the shape of a sample
        Number of values, and of missing values.
    mean, squares : ndarray of float64, same shape
        Mean, and sum of squared deviations from it, of the values that are not missing.
    minimum, maximum : ndarray of float64, same shape
        NaN where there is no value.
    """

    columns: list[str]
    count: NDArray[np.int64]
    missing: NDArray[np.int64]
    mean: NDArray[np.float64]
    squares: NDArray[np.float64]
    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]

    @classmethod
    def none(cls, columns: list[str], shape: tuple[int, ...]) -> Statistics:
        """Return the statistics of no rows."""
        zero, none = np.zeros(shape), np.zeros(shape, np.int64)
        unknown = np.full(shape, np.nan)
        return cls(columns, none, none, zero, zero, unknown, unknown)

    @classmethod
    def of(cls, features: NDArray[np.float32], columns: list[str]) -> Statistics:
        """Return the statistics of some rows, computed in float64."""
        if not len(features):
            return cls.none(columns, features.shape[1:])
        values = features.astype(np.float64)
        absent = np.isnan(values)
        missing = absent.sum(axis=0)
        count = len(values) - missing
        with np.errstate(invalid="ignore"):
            mean = np.where(absent, 0.0, values).sum(axis=0) / np.maximum(count, 1)
            squares = np.where(absent, 0.0, values - mean) ** 2
        low = np.where(absent, np.inf, values).min(axis=0)
        high = np.where(absent, -np.inf, values).max(axis=0)
        empty = count == 0
        return cls(
            columns,
            count,
            missing,
            mean,
            squares.sum(axis=0),
            np.where(empty, np.nan, low),
            np.where(empty, np.nan, high),
        )

    def merge(self, other: Statistics) -> Statistics:
        """Return the statistics of the rows of both."""
        count = self.count + other.count
        weight = other.count / np.maximum(count, 1)
        apart = other.mean - self.mean
        return Statistics(
            self.columns,
            count,
            self.missing + other.missing,
            self.mean + apart * weight,
            self.squares + other.squares + apart**2 * self.count * weight,
            np.fmin(self.minimum, other.minimum),
            np.fmax(self.maximum, other.maximum),
        )

    @classmethod
    def shared_out(cls, rows: Part, comm: Communicator) -> Statistics:
        """Return the statistics of rows that all ranks hold, each computing a share. Collective.

        The numbers do not depend on how many ranks there are.
        """
        mine = share(len(rows), comm.rank, comm.world_size)
        own = cls.none(rows.columns, rows.sample_shape)
        for piece in rows.between(mine.start, mine.stop):
            own = own.merge(cls.of(piece.features, piece.columns))
        first, *others = comm.all_gather_object(own)
        for other in others:
            first = first.merge(other)
        return first

    @property
    def std(self) -> NDArray[np.float64]:
        """Population standard deviation of the values; 0 where there is none."""
        return np.sqrt(self.squares / np.maximum(self.count, 1))

    def to_pandas(self) -> pd.DataFrame:
        """Return a table, a row for each column."""
        shown = {
            "count": self.count,
            "missing": self.missing,
            "mean": self.mean,
            "std": self.std,
            "min": self.minimum,
            "max": self.maximum,
        }
        return pd.DataFrame(shown, index=pd.Index(self.columns, name="column"))
