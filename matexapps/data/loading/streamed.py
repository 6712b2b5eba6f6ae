"""Rows of one part that stay in their file, because the file does not fit into memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.filesize import decimal

from matexapps.comm.communicator import Communicator
from matexapps.data.loading.blocks import FilePart
from matexapps.data.part import Part
from matexapps.data.rows import Rows
from matexapps.errors import DataError

if TYPE_CHECKING:
    import torch

    from matexapps.data.loading.batch import Loader


class StreamedRows(Part):
    """The rows of one part of a file, read again in each pass.

    Parameters
    ----------
    file : FilePart
    memory : int
        Bytes that a rank may use.
    """

    def __init__(self, file: FilePart, memory: int) -> None:
        self._file, self.memory = file, memory
        self.columns = file.reader.columns

    def __len__(self) -> int:
        return len(self._file)

    def __repr__(self) -> str:
        return (
            f"StreamedRows({len(self):,} rows in {self._file.reader.path}, "
            f"{decimal(self.memory)} of memory)"
        )

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one row's features."""
        return self._file.reader.sample_shape

    def digest(self) -> str:
        """Return a fingerprint of these rows."""
        return self._file.digest

    @property
    def window_rows(self) -> int:
        """How many rows are shuffled together, over all ranks."""
        return self._file.window_rows

    def between(self, start: int, stop: int) -> Iterator[Rows]:
        """Yield the rows numbered ``start`` to ``stop - 1`` of this part, in the file's order."""
        return self._file.between(start, stop)

    def open_loader(
        self, batch_size: int, comm: Communicator, device: torch.device, seed: int = 0
    ) -> Loader:
        """Return what gives this rank its part of each global batch of ``batch_size`` rows."""
        from matexapps.data.loading.stream import StreamLoader

        return StreamLoader(self._file, batch_size, comm.rank, comm.world_size, device, seed)

    def to_pandas(self) -> pd.DataFrame:
        """Return a table of all rows, as :meth:`matexapps.data.rows.Rows.to_pandas`.

        Raises
        ------
        DataError
            If they do not fit into the memory bound.
        """
        needed = 2 * len(self) * self._file.reader.row_bytes
        if needed > self.memory:
            raise DataError(
                f"{len(self):,} rows need {decimal(needed)} as a table, more than the "
                f"{decimal(self.memory)} of memory=: raise it, or go through .batches()"
            )
        return pd.concat([rows.to_pandas() for rows in self.between(0, len(self))])

    def __getattr__(self, name: str) -> Any:
        if name in ("features", "label", "weight", "ids"):
            raise DataError(
                f".{name} of {len(self):,} rows does not fit into the {decimal(self.memory)} of "
                "memory=: raise it, or go through .batches()"
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


def in_memory(part: Part) -> Rows:
    """Return rows that are in memory, unchanged.

    Raises
    ------
    DataError
        If they stay in their file.
    """
    if isinstance(part, Rows):
        return part
    assert isinstance(part, StreamedRows)
    raise DataError(
        f"{len(part):,} rows are larger than the {decimal(part.memory)} of memory= allow, and "
        "here all are needed at once: raise it"
    )
