"""One rank's rows of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from matexapps.comm.communicator import Communicator
from matexapps.data.partition import share


@dataclass(frozen=True)
class Part:
    """One rank's rows of a batch that all ranks have.

    Attributes
    ----------
    rows : int
        Rows of the whole batch.
    comm : Communicator
    """

    rows: int
    comm: Communicator

    @property
    def own(self) -> slice:
        """This rank's rows."""
        mine = share(self.rows, self.comm.rank, self.comm.world_size)
        return slice(mine.start, mine.stop)

    def __len__(self) -> int:
        return self.own.stop - self.own.start

    def has(self, value: Any) -> bool:
        """Whether a value is a tensor with as many rows as this part."""
        return isinstance(value, torch.Tensor) and value.dim() > 0 and len(value) == len(self)

    def cut(self, whole: torch.Tensor) -> torch.Tensor:
        """Return this rank's rows of a tensor."""
        return whole[self.own]

    def room_for(self, part: torch.Tensor) -> torch.Tensor:
        """Return an empty tensor for all rows."""
        return torch.empty((self.rows, *part.shape[1:]), dtype=part.dtype, device=part.device)

    def widened(self, value: Any) -> Any:
        """Return a tensor of this part's rows among zeros for the others; other values as is."""
        if not self.has(value):
            return value
        before = value.new_zeros((self.own.start, *value.shape[1:]))
        after = value.new_zeros((self.rows - self.own.stop, *value.shape[1:]))
        return torch.cat([before, value, after])
