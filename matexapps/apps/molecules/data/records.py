"""Structures and measured values, as a file has them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from matexapps.apps.molecules.data.components import join_structures
from matexapps.apps.molecules.data.targets import Target


@dataclass(frozen=True)
class Records:
    """The rows of a file: structures, and values.

    Attributes
    ----------
    source : str
        For messages.
    structures : list of tuple of str
        SMILES as written in the file, one for each of its columns of structures; empty where it
        has none.
    values : ndarray of float64, shape (rows, targets)
        NaN is missing.
    targets : list of Target
    rows : ndarray of int64, shape (rows,)
        Numbers of the rows in the file, from 1, without the header.
    part_key : ndarray of object, shape (rows,), or None
        The column that a split goes by.
    smiles_columns : tuple of str
        Names of the columns of structures.
    """

    source: str
    structures: list[tuple[str, ...]]
    values: NDArray[np.float64]
    targets: list[Target]
    rows: NDArray[np.int64]
    part_key: NDArray[np.object_] | None = None
    smiles_columns: tuple[str, ...] = ("smiles",)

    def __len__(self) -> int:
        return len(self.structures)

    @property
    def smiles(self) -> list[str]:
        """The structures of each row as one text, for messages."""
        return [join_structures(row) for row in self.structures]

    def take(self, positions: NDArray[np.int64]) -> Records:
        """Return the rows at these positions, in this order."""
        return replace(
            self,
            structures=[self.structures[i] for i in positions],
            values=self.values[positions],
            rows=self.rows[positions],
            part_key=None if self.part_key is None else self.part_key[positions],
        )
