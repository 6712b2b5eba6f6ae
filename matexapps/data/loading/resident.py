"""Batches of rows that are in memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from matexapps.data.loading.batch import Batch
from matexapps.data.loading.sampler import global_permutation
from matexapps.data.part import Part
from matexapps.data.partition import share

_WINDOW_BYTES = 2 * 1024 * 1024
_RESIDENT_SHARE = 0.25


class ResidentLoader:
    """Cuts global batches of rows in memory into ranks' parts.

    Rows are gathered for several batches at once and handed out as views: one large gather costs a
    fraction of many small ones.

    Parameters
    ----------
    rows : Part
        The rows to draw from, in this rank's memory.
    batch_size : int
        Rows of a global batch.
    rank, world_size : int
        Which part of each batch is wanted.
    device : torch.device
        Where the batches are wanted. Rows that take up less than a quarter of a GPU's free memory
        move there once; others travel batch by batch through pinned memory.
    seed : int
        Seed of the order of rows.
    """

    def __init__(
        self,
        rows: Part,
        batch_size: int,
        rank: int,
        world_size: int,
        device: torch.device,
        seed: int,
    ) -> None:
        self.rows, self.batch_size, self.seed = rows, batch_size, seed
        self.rank, self.world_size, self.device = rank, world_size, device
        self._features = torch.from_numpy(rows.features)
        self._label = torch.from_numpy(rows.label)
        self._weight64 = rows.weight
        self._weight = None if rows.weight is None else torch.from_numpy(rows.weight).float()
        self._resident = device.type == "cpu" or self._move_to_gpu()
        self._row_bytes = max(1, rows.features.nbytes // max(1, len(rows)))

    def shuffled(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yield this rank's part of each global batch of ``epoch``, from batch ``start`` on."""
        order = global_permutation(len(self.rows), self.seed, epoch)
        return self._batches(order, start, self.rank, self.world_size)

    def in_order(self) -> Iterator[Batch]:
        """Yield this rank's contiguous share of all rows, in the order they have."""
        part = share(len(self.rows), self.rank, self.world_size)
        return self._batches(np.arange(part.start, part.stop), 0, 0, 1)

    def _batches(
        self, order: NDArray[np.int64], start: int, rank: int, world_size: int
    ) -> Iterator[Batch]:
        size = self.batch_size
        firsts = range(start * size, len(order), size)
        window = max(1, _WINDOW_BYTES // (self._row_bytes * max(1, size // world_size)))
        for k in range(0, len(firsts), window):
            parts: list[NDArray[np.int64]] = []
            sizes: list[int] = []
            for first in firsts[k : k + window]:
                rows = order[first : first + size]
                parts.append(rows[share(len(rows), rank, world_size)])
                sizes.append(len(rows))
            yield from self._gather(parts, sizes)

    def _gather(self, parts: list[NDArray[np.int64]], sizes: list[int]) -> Iterator[Batch]:
        numbers = np.concatenate(parts)
        index = torch.from_numpy(numbers)
        if self._resident:
            index = index.to(self.device)
        features, label = self._take(self._features, index), self._take(self._label, index)
        weight = None if self._weight is None else self._take(self._weight, index)
        start = 0
        for part, size in zip(parts, sizes, strict=True):
            stop = start + len(part)
            total = float(len(part) if self._weight64 is None else self._weight64[part].sum())
            yield Batch(
                features[start:stop],
                label[start:stop],
                None if weight is None else weight[start:stop],
                total,
                size,
                self.rows.ids,
                part,
            )
            start = stop

    def _take(self, values: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        taken = values.index_select(0, index)
        if self._resident:
            return taken
        return taken.pin_memory().to(self.device, non_blocking=True)

    def _move_to_gpu(self) -> bool:
        free, _ = torch.cuda.mem_get_info(self.device)
        if self.rows.features.nbytes > _RESIDENT_SHARE * free:
            return False
        self._features = self._features.to(self.device)
        self._label = self._label.to(self.device)
        self._weight = None if self._weight is None else self._weight.to(self.device)
        return True
