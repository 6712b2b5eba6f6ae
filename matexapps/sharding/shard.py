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
        Rows of the whole batch, at least one for each rank.
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

    def cut(self, whole: torch.Tensor, axis: int = 0) -> torch.Tensor:
        """Return this rank's rows of a tensor, a view.

        An axis that is a multiple of the batch long has that many entries for each row in turn,
        as where heads of attention are folded into it.
        """
        each = whole.size(axis) // self.rows
        return whole.narrow(axis, self.start * each, self._own * each)

    def axis_of(self, shape: torch.Size) -> int | None:
        """Return the axis along which a tensor inside the network seems to have this rank's rows.

        A guess: that tensor may be as long as this rank's rows for another reason.
        """
        if len(shape) > self.axis and shape[self.axis] == len(self):
            return self.axis
        if shape and shape[0] and shape[0] % len(self) == 0:
            return 0
        return None

    def axis_between(self, whole: torch.Size, mine: torch.Size) -> int | None:
        """Return the axis along which a tensor has rows, None if it is the same for all rows.

        Parameters
        ----------
        whole, mine : torch.Size
            The shapes for the whole batch, and for this rank's rows.

        Raises
        ------
        TrainingError
            If there is no such axis, or more than one.
        """
        if whole == mine:
            return None
        # Other axes may differ too, as where sequences are padded to the longest of them.
        fitting = [
            axis
            for axis, (everybody, some) in enumerate(zip(whole, mine, strict=False))
            if everybody != some and everybody * len(self) == some * self.rows
        ]
        if len(whole) != len(mine) or len(fitting) != 1:
            raise TrainingError(f"a shape is {tuple(whole)} for all rows, {tuple(mine)} for some")
        return fitting[0]

    def whole_shape(self, shape: Sequence[int], axis: int) -> list[int]:
        """Return the shape for all rows of a tensor that has this rank's."""
        return [*shape[:axis], shape[axis] // len(self) * self.rows, *shape[axis + 1 :]]
