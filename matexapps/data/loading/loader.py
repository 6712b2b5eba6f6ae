"""From rows, in memory or in a file, to batches on a device."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from matexapps.comm.communicator import Communicator
from matexapps.comm.single import SingleProcess
from matexapps.data.loading.batch import Batch, Loader
from matexapps.data.loading.resident import ResidentLoader
from matexapps.data.loading.stream import StreamLoader
from matexapps.data.loading.streamed import StreamedRows
from matexapps.data.rows import Rows
from matexapps.devices import choose_device
from matexapps.errors import DataError


def open_loader(
    rows: Rows | StreamedRows,
    batch_size: int,
    comm: Communicator,
    device: torch.device,
    seed: int = 0,
) -> Loader:
    """Return what gives this rank its part of each global batch of ``batch_size`` rows."""
    made = StreamLoader if isinstance(rows, StreamedRows) else ResidentLoader
    return made(rows, batch_size, comm.rank, comm.world_size, device, seed)  # type: ignore[arg-type]


def batches(
    rows: Rows | StreamedRows,
    batch_size: int = 1024,
    *,
    seed: int | None = None,
    epoch: int = 0,
    device: str = "auto",
    comm: Communicator | None = None,
) -> Iterator[Batch]:
    """Yield rows in batches, each row once. Collective where ``comm`` has several ranks.

    Parameters
    ----------
    rows : Rows or StreamedRows
    batch_size : int
        Rows of a global batch, over all ranks; without ``seed``, of each rank's batches.
    seed : int or None
        Seed of a random order, which ``epoch`` changes too; None keeps the order of the source,
        of which each rank gets a contiguous share.
    epoch : int
    device : {"auto", "cpu", "cuda"}
    comm : Communicator or None
        The ranks that share the rows; None is this process alone.
    """
    if batch_size < 1:
        raise DataError(f"batch_size must be at least 1, got {batch_size}")
    comm = SingleProcess() if comm is None else comm
    place = choose_device(comm, device).device
    loader = open_loader(rows, batch_size, comm, place, 0 if seed is None else seed)
    return loader.in_order() if seed is None else loader.shuffled(epoch)
