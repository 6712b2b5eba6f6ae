"""One rank's part of a global batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from matexapps.data.partition import RowNumbers


@dataclass(slots=True)  # a frozen one would take three times as long to create
class Batch:
    """One rank's part of a global batch.

    Attributes
    ----------
    features : Tensor, shape (rows, columns) or (rows, *sample shape)
    label : Tensor, shape (rows,)
    weight : Tensor or None, shape (rows,)
        Weights of the rows; None where every row counts the same.
    total_weight : float
        Sum of the weights of this part; its number of rows where there are no weights.
    global_rows : int
        Rows of the whole batch, over all ranks.
    source_ids : ndarray of int64, or RowNumbers
        Row numbers of the rows that this part was drawn from.
    positions : ndarray of int64
        Positions of this part's rows among them. :attr:`ids` is computed from these on demand,
        because it is seldom needed and would cost time in every step.
    """

    features: torch.Tensor
    label: torch.Tensor
    weight: torch.Tensor | None
    total_weight: float
    global_rows: int
    source_ids: NDArray[np.int64] | RowNumbers
    positions: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def ids(self) -> NDArray[np.int64]:
        """Row numbers in the source, as :attr:`matexapps.data.rows.Rows.ids`."""
        return self.source_ids[self.positions]


class Loader(Protocol):
    """Gives one rank its part of each batch, on its device."""

    def shuffled(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yield this rank's part of each global batch of ``epoch``, from batch ``start`` on."""

    def in_order(self) -> Iterator[Batch]:
        """Yield this rank's contiguous share of all rows, in the order they have."""
