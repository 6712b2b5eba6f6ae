"""Batches of rows that stay in their file: a window of blocks at a time, the next one ahead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from threading import Event
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from matexapps.data.batches.batch import Batch
from matexapps.data.batches.prefetch import ahead
from matexapps.data.batches.sampler import Deal, WindowedOrder
from matexapps.data.batches.streamed import StreamedRows
from matexapps.data.partition import share
from matexapps.data.rows import Rows, concatenate


class StreamLoader:
    """Cuts global batches of rows in a file into ranks' parts.

    Parameters
    ----------
    rows : StreamedRows
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
        rows: StreamedRows,
        batch_size: int,
        rank: int,
        world_size: int,
        device: torch.device,
        seed: int,
    ) -> None:
        self.rows, self.batch_size, self.seed = rows, batch_size, seed
        self.rank, self.world_size, self.device = rank, world_size, device

    def shuffled(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yield this rank's part of each global batch of ``epoch``, from batch ``start`` on."""
        rows = self.rows
        rows.require_unchanged()
        order = WindowedOrder(rows.counts, self.batch_size, rows.window_rows, self.seed, epoch)

        def windows(stop: Event) -> Iterator[tuple[_Window, int]]:
            for deal, skip in order.deals(start, self.rank, self.world_size):
                if stop.is_set():
                    return
                yield self._window(order, deal), skip

        for window, skip in ahead(windows):
            for number in range(skip, len(window.chosen)):
                yield self._batch(window.rows, window.chosen[number], window.global_rows)

    def in_order(self) -> Iterator[Batch]:
        """Yield this rank's contiguous share of all rows, in the order they have."""
        part = share(len(self.rows), self.rank, self.world_size)

        def pieces(stop: Event) -> Iterator[Rows]:
            for rows in _cut(self.rows.between(part.start, part.stop), self.batch_size):
                if stop.is_set():
                    return
                yield rows

        for rows in ahead(pieces):
            yield self._on_device(
                rows.features, rows.label, rows.weight, len(rows), rows.ids, slice(None)
            )

    def _window(self, order: WindowedOrder, deal: Deal) -> _Window:
        spans = list(order.spans(deal.start, deal.stop))
        if not spans:
            none = np.empty((deal.batches, 0), np.int64)
            return _Window(self.rows.none(), none, deal.global_rows)
        rows, places = self.rows.blocks([span.block for span in spans])
        counts = self.rows.counts[[span.block for span in spans]]
        chosen = np.concatenate([order.within(span) for span in spans])
        chosen += np.repeat(np.cumsum(counts) - counts, [len(span) for span in spans])
        if places is not None:
            chosen = places[chosen]
        # Row j of the window goes to batch j mod batches: see sampler.py.
        by_batch = np.ascontiguousarray(chosen.reshape(deal.rows, deal.batches).T)
        return _Window(rows, by_batch, deal.global_rows)

    def _batch(self, rows: Rows, chosen: NDArray[np.int64], global_rows: int) -> Batch:
        features = np.empty((len(chosen), *rows.features.shape[1:]), np.float32)
        # With mode="raise", numpy would fill a buffer first and copy it.
        np.take(rows.features, chosen, axis=0, out=features, mode="clip")
        weight = None if rows.weight is None else rows.weight[chosen]
        return self._on_device(features, rows.label[chosen], weight, global_rows, rows.ids, chosen)

    def _on_device(
        self,
        features: NDArray[np.float32],
        label: NDArray[Any],
        weight: NDArray[np.float64] | None,
        global_rows: int,
        source_ids: NDArray[np.int64],
        places: NDArray[np.int64] | slice,
    ) -> Batch:
        return Batch(
            self._move(torch.from_numpy(features)),
            self._move(torch.from_numpy(label)),
            None if weight is None else self._move(torch.from_numpy(weight).float()),
            float(len(label) if weight is None else weight.sum()),
            global_rows,
            source_ids,
            places,
        )

    def _move(self, values: torch.Tensor) -> torch.Tensor:
        if self.device.type == "cpu":
            return values
        return values.pin_memory().to(self.device, non_blocking=True)


@dataclass(frozen=True)
class _Window:
    """Rows of some blocks, and which of them, in a line for each batch, are this rank's."""

    rows: Rows
    chosen: NDArray[np.int64]
    global_rows: int


def _cut(pieces: Iterator[Rows], size: int) -> Iterator[Rows]:
    """Yield the rows of all pieces, ``size`` at a time, the last ones as many as are left."""
    held: list[Rows] = []
    for piece in pieces:
        held.append(piece)
        if sum(map(len, held)) >= size:
            rows = concatenate(held)
            whole = len(rows) // size * size
            for first in range(0, whole, size):
                yield rows.take(slice(first, first + size))
            held = [rows.take(slice(whole, None))]
    if held and (rows := concatenate(held)):
        yield rows
