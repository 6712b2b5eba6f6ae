"""One rank's rows of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from matexapps.comm.communicator import Communicator
from matexapps.data.partition import share
from matexapps.errors import TrainingError


@dataclass(frozen=True)
class Part:
    """One rank's rows of a batch that all ranks have.

    Attributes
    ----------
    rows : int
        Rows of the global batch, at least one for each rank.
    comm : Communicator
    axis : int
        Where a network's first input has its rows: 0, or 1 where time comes first.
    """

    rows: int
    comm: Communicator
    axis: int = 0

    @cached_property
    def counts(self) -> list[int]:
        """Every rank's number of rows."""
        shares = (share(self.rows, r, self.comm.world_size) for r in range(self.comm.world_size))
        return [mine.stop - mine.start for mine in shares]

    @cached_property
    def start(self) -> int:
        """This rank's first row."""
        return sum(self.counts[: self.comm.rank])

    @cached_property
    def _own(self) -> int:
        return self.counts[self.comm.rank]

    def __len__(self) -> int:
        return self._own

    def cut(self, tensor: torch.Tensor, axis: int = 0) -> torch.Tensor:
        """Return this rank's rows of a tensor, a view.

        An axis whose length is a multiple of the batch has that many entries for each row in turn,
        as where heads of attention are folded into it.
        """
        each = tensor.size(axis) // self.rows
        return tensor.narrow(axis, self.start * each, self._own * each)

    def axis_of(self, shape: torch.Size) -> int | None:
        """Return the axis along which a tensor inside the network seems to have this rank's rows.

        A guess: that tensor may be as long as this rank's rows for another reason.
        """
        if len(shape) > self.axis and shape[self.axis] == len(self):
            return self.axis
        if shape and shape[0] and shape[0] % len(self) == 0:
            return 0
        return None

    def global_shape(self, shape: Sequence[int], axis: int) -> list[int]:
        """Return the shape for all rows of a tensor that has this rank's."""
        return [*shape[:axis], shape[axis] // len(self) * self.rows, *shape[axis + 1 :]]


def row_axis(shape: torch.Size, rows: int, other: torch.Size, other_rows: int) -> int | None:
    """Return the axis along which a tensor has rows, None if it is the same for all rows.

    Parameters
    ----------
    shape, other : torch.Size
        The shapes for two batches.
    rows, other_rows : int
        How many rows each batch has.

    Raises
    ------
    TrainingError
        If there is no such axis, or more than one.
    """
    if shape == other:
        return None
    # Other axes may differ too, as where sequences are padded to the longest of them.
    fitting = [
        axis
        for axis, (length, other_length) in enumerate(zip(shape, other, strict=False))
        if length != other_length and length * other_rows == other_length * rows
    ]
    if len(shape) != len(other) or len(fitting) != 1:
        raise TrainingError(
            f"a tensor of shape {tuple(shape)} for {rows} rows has shape {tuple(other)} for "
            f"{other_rows} rows"
        )
    return fitting[0]
