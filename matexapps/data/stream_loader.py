"""Batches of rows that stay in their file: a window of blocks at a time, the next one ahead."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from threading import Event
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from matexapps.data.batch import Batch
from matexapps.data.partition import share
from matexapps.data.prefetch import ahead
from matexapps.data.rows import Rows, concatenate
from matexapps.data.sampler import Deal, WindowedOrder
from matexapps.data.streamed import StreamedRows


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
        self._memory = _Memory()

    def shuffled(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yield this rank's part of each global batch of ``epoch``, from batch ``start`` on."""
        rows = self.rows
        rows.require_unchanged()
        order = WindowedOrder(rows.counts, self.batch_size, rows.window_rows, self.seed, epoch)

        def windows(stop: Event) -> Iterator[tuple[_Window, int]]:
            for deal, skip in order.deals(start, self.rank, self.world_size):
                yield self._fill(order, deal, stop), skip

        for window, skip in ahead(windows):
            yield from self._batches(window, skip)

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
            )

    def _fill(self, order: WindowedOrder, deal: Deal, stop: Event) -> _Window:
        spans = list(order.spans(deal.start, deal.stop))
        batches, rows = deal.batches, deal.rows
        if stop.is_set() or not spans:
            features = self._memory.array((batches, 0, *self.rows.sample_shape))
            return _Window(deal, features, np.empty((batches, 0), self.rows.label_dtype), None)
        read, places = self.rows.blocks([span.block for span in spans])
        counts = self.rows.counts[[span.block for span in spans]]
        dealt = np.concatenate([order.within(span) for span in spans])
        dealt += np.repeat(np.cumsum(counts) - counts, [len(span) for span in spans])
        # Row j of the window goes to batch j mod batches: see sampler.py.
        chosen = dealt.reshape(rows, batches).T.ravel()
        if places is not None:
            chosen = places[chosen]
        features = self._memory.array((batches, rows, *self.rows.sample_shape))
        # With mode="raise", numpy would fill a buffer first and copy it.
        np.take(
            read.features,
            chosen,
            axis=0,
            out=features.reshape(-1, *features.shape[2:]),
            mode="clip",
        )
        return _Window(
            deal,
            features,
            read.label[chosen].reshape(batches, rows),
            None if read.weight is None else read.weight[chosen].reshape(batches, rows),
        )

    def _batches(self, window: _Window, skip: int) -> Iterator[Batch]:
        features, label = torch.from_numpy(window.features), torch.from_numpy(window.label)
        weight: Sequence[torch.Tensor | None] = [None] * window.deal.batches
        totals = [float(window.deal.rows)] * window.deal.batches
        if window.weight is not None:
            weight = torch.from_numpy(window.weight).float().unbind()
            totals = window.weight.sum(axis=1).tolist()
        parts = zip(features.unbind(), label.unbind(), weight, totals, strict=True)
        for x, y, w, total in islice(parts, skip, None):
            w = None if w is None else self._move(w)
            yield Batch(self._move(x), self._move(y), w, total, window.deal.global_rows)

    def _move(self, values: torch.Tensor) -> torch.Tensor:
        if self.device.type == "cpu":
            return values
        return values.pin_memory().to(self.device, non_blocking=True)


@dataclass(frozen=True)
class _Window:
    """This rank's rows of some batches; the first two axes are batches and rows."""

    deal: Deal
    features: NDArray[np.float32]
    label: NDArray[Any]
    weight: NDArray[np.float64] | None


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


class _Memory:
    """Arrays that are used again once nobody holds a view of them: fresh pages cost time."""

    def __init__(self) -> None:
        self._kept: list[NDArray[np.float32]] = []

    def array(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Return an array of this shape, with anything in it."""
        size = int(np.prod(shape, dtype=np.int64))
        free = [i for i in range(len(self._kept)) if sys.getrefcount(self._kept[i]) == 2]
        for i in free:
            if len(self._kept[i]) >= size:
                return self._kept[i][:size].reshape(shape)
        for i in reversed(free):
            del self._kept[i]
        self._kept.append(np.empty(size, np.float32))
        return self._kept[-1].reshape(shape)
