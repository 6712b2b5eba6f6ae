"""Batches of rows that stay in their file: a window of blocks at a time, the next one ahead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import cycle, repeat
from threading import Event
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from matexapps.data.loading.batch import Batch
from matexapps.data.loading.blocks import Blocks, FilePart
from matexapps.data.loading.prefetch import KNOWS_WAITS, ahead, times_waited
from matexapps.data.loading.reused import ReturnedArrays, ReusedArrays
from matexapps.data.loading.sampler import Deal, WindowedOrder
from matexapps.data.partition import share
from matexapps.data.rows import Rows, concatenate

_GATHERED_BYTES = 2**21
_FEW_WAITS = 2


class StreamLoader:
    """Cuts global batches of rows in a file into ranks' parts.

    Parameters
    ----------
    rows : FilePart
    batch_size : int
        Rows of a global batch.
    rank, world_size : int
        Which part of each batch is wanted.
    device : torch.device
        Where the batches are wanted.
    seed : int
        Seed of the order of rows.
    """

    def __init__(
        self,
        rows: FilePart,
        batch_size: int,
        rank: int,
        world_size: int,
        device: torch.device,
        seed: int,
    ) -> None:
        self.rows, self.batch_size, self.seed = rows, batch_size, seed
        self.rank, self.world_size, self.device = rank, world_size, device
        self._gathered = ReturnedArrays()

    def shuffled(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yield this rank's part of each global batch of ``epoch``, from batch ``start`` on.

        Raises
        ------
        DataError
            At the beginning or the end, if the file has changed since it was first read.
        """
        rows = self.rows
        rows.require_unchanged()
        order = WindowedOrder(
            rows.counts, rows.sizes, self.batch_size, rows.window_rows, self.seed, epoch
        )
        deals = order.deals(start, self.rank, self.world_size)
        if rows.reader.copied and KNOWS_WAITS:
            yield from self._at_once(order, deals)

        def windows(stop: Event) -> Iterator[tuple[_Window, int]]:
            # One holds the window in use, the other the window that is being read.
            in_turn = cycle((ReusedArrays(), ReusedArrays()))
            for (deal, skip), arrays in zip(deals, in_turn, strict=False):
                if stop.is_set():
                    return
                yield self._window(order, deal, arrays), skip

        for window, skip in ahead(windows):
            yield from self._batches(window, skip)
        rows.require_unchanged()

    def _at_once(self, order: WindowedOrder, deals: Iterator[tuple[Deal, int]]) -> Iterator[Batch]:
        """Yield batches until reading a window has to wait, because its file is not in memory.

        Copying a window takes less time than passing it from thread to thread.
        """
        arrays = ReusedArrays()
        for deal, skip in deals:
            before = times_waited()
            window = self._window(order, deal, arrays)
            waited = times_waited() - before
            yield from self._batches(window, skip)
            if waited > _FEW_WAITS:
                return

    def in_order(self) -> Iterator[Batch]:
        """Yield this rank's contiguous share of all rows, in the order they have."""
        part = share(len(self.rows), self.rank, self.world_size)

        def pieces(stop: Event) -> Iterator[Rows]:
            for rows in _cut(self.rows.between(part.start, part.stop), self.batch_size):
                if stop.is_set():
                    return
                yield rows

        for rows in ahead(pieces):
            weight = None if rows.weight is None else torch.from_numpy(rows.weight).float()
            yield Batch(
                self._move(torch.from_numpy(rows.features)),
                self._move(torch.from_numpy(rows.label)),
                None if weight is None else self._move(weight),
                float(len(rows) if rows.weight is None else rows.weight.sum()),
                len(rows),
                rows.ids,
                np.arange(len(rows)),
            )

    def _window(self, order: WindowedOrder, deal: Deal, arrays: ReusedArrays) -> _Window:
        window = order.window(deal.start, deal.stop)
        positions, wanted = window.positions, self.rows.wanted(window.blocks)
        if wanted is not None:
            # Twice as fast as a boolean index.
            positions = positions.compress(wanted[positions])
        mine = positions[window.first : window.first + deal.stop - deal.start]
        # Row j of the window goes to batch j mod batches: see sampler.py. Turned round before the
        # rows are read, which would drive the order from the processor's cache.
        by_batch = mine.reshape(deal.rows, deal.batches).T.copy()
        blocks = self.rows.blocks(window.blocks, arrays)
        return _Window(blocks, by_batch, deal.global_rows)

    def _batches(self, window: _Window, skip: int) -> Iterator[Batch]:
        """Yield a window's batches from number ``skip`` on, gathered some at a time."""
        blocks, chosen = window.blocks, window.chosen
        step = max(1, _GATHERED_BYTES // max(1, chosen.shape[1] * self.rows.reader.row_bytes))
        for first in range(skip, len(chosen), step):
            some = chosen[first : first + step]
            features = self._take(blocks.features, some).unbind()
            label = self._take(blocks.label, some).unbind()
            weight: Iterable[torch.Tensor | None] = repeat(None)
            total: Iterable[float] = repeat(float(chosen.shape[1]))
            if blocks.weight is not None:
                weight64 = blocks.weight[some]
                weight = self._move(torch.from_numpy(weight64).float()).unbind()
                total = weight64.sum(axis=1).tolist()
            same = repeat(window.global_rows), repeat(blocks.numbers)
            yield from map(Batch, features, label, weight, total, *same, some)

    def _take(self, values: NDArray[Any], positions: NDArray[np.int64]) -> torch.Tensor:
        taken = self._gathered.empty((*positions.shape, *values.shape[1:]), values.dtype)
        # With mode="raise", numpy would fill a buffer first and copy it.
        np.take(values, positions, axis=0, out=taken, mode="clip")
        return self._move(torch.from_numpy(taken))

    def _move(self, values: torch.Tensor) -> torch.Tensor:
        if self.device.type == "cpu":
            return values
        return values.pin_memory().to(self.device, non_blocking=True)


@dataclass(frozen=True)
class _Window:
    """Rows of some blocks, and which of them are this rank's, a line for each batch."""

    blocks: Blocks
    chosen: NDArray[np.int64]
    global_rows: int


def _cut(pieces: Iterator[Rows], size: int) -> Iterator[Rows]:
    """Yield the rows of all pieces, ``size`` at a time; the last time, those that are left."""
    held: list[Rows] = []
    for piece in pieces:
        held.append(piece)
        if sum(map(len, held)) >= size:
            rows = concatenate(held)
            end = len(rows) // size * size
            for first in range(0, end, size):
                yield rows.take(slice(first, first + size))
            held = [rows.take(slice(end, None))]
    if held and (rows := concatenate(held)):
        yield rows
