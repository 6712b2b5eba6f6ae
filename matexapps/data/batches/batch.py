"""One rank's part of a global batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch


@dataclass(frozen=True)
class Batch:
    """One rank's part of a global batch.

    Attributes
    ----------
    features : Tensor, shape (rows, columns) or (rows, *sample shape)
    label : Tensor, shape (rows,)
    weight : Tensor or None, shape (rows,)
        Weights of the rows; None where every row counts alike.
    total_weight : float
        Sum of the weights of this part; its number of rows where there are no weights.
    global_rows : int
        Rows of the whole batch, over all ranks.
    """

    features: torch.Tensor
    label: torch.Tensor
    weight: torch.Tensor | None
    total_weight: float
    global_rows: int

    def __len__(self) -> int:
        return len(self.label)


class Loader(Protocol):
    """Gives one rank its part of each batch, on its device."""

    def shuffled(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yield this rank's part of each global batch of ``epoch``, from batch ``start`` on."""

    def in_order(self) -> Iterator[Batch]:
        """Yield this rank's contiguous share of all rows, in the order they have."""
