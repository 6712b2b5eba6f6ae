"""Batches of rows that stay in their file: a window of blocks at a time, the next one ahead."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Event
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from matexapps.data.batch import Batch
from matexapps.data.partition import share
from matexapps.data.prefetch import ahead
from matexapps.data.rows import Rows
from matexapps.data.sampler import Deal, WindowedOrder
from matexapps.data.streamed import StreamedRows

WINDOW_SHARE = 0.2
"""A window's part of the memory bound: one is used, one is filled, one may still be held."""


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
        self._window_rows = max(1, int(WINDOW_SHARE * rows.memory) // rows.row_bytes)
        self._memory = _Memory()

    def shuffled(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yield this rank's part of each global batch of ``epoch``, from batch ``start`` on."""
        order = WindowedOrder(
            self.rows.counts, self.batch_size, self._window_rows, self.seed, epoch
        )

        def windows(stop: Event) -> Iterator[tuple[_Window, int]]:
            for deal, skip in order.deals(start, self.rank, self.world_size):
                yield self._fill(order, deal, stop), skip

        for window, skip in ahead(windows):
            for number in range(skip, window.deal.batches):
                yield self._batch(window, number)

    def in_order(self) -> Iterator[Batch]:
        """Yield this rank's contiguous share of all rows, in the order they have."""
        part = share(len(self.rows), self.rank, self.world_size)

        def blocks(stop: Event) -> Iterator[Rows]:
            for rows in self.rows.between(part.start, part.stop):
                if stop.is_set():
                    return
                yield rows

        for rows in ahead(blocks):
            for first in range(0, len(rows), self.batch_size):
                piece = rows.take(slice(first, first + self.batch_size))
                yield self._on_device(piece.features, piece.label, piece.weight, len(piece))

    def _fill(self, order: WindowedOrder, deal: Deal, stop: Event) -> _Window:
        shape = (deal.batches, deal.rows)
        window = _Window(deal, self._memory.array((*shape, *self.rows.sample_shape)))
        at = 0
        for span in order.spans(deal.start, deal.stop):
            if stop.is_set():
                break
            rows, members = self.rows.block(span.block)
            index = order.within(span.block)[span.start : span.stop]
            if members is not None:
                index = members[index]
            if window.label is None:
                window.label = np.empty(shape, rows.label.dtype)
                window.weight = None if rows.weight is None else np.empty(shape)
            _deal(rows.features, index, window.features, at)
            _deal(rows.label, index, window.label, at)
            if rows.weight is not None and window.weight is not None:
                _deal(rows.weight, index, window.weight, at)
            at += len(index)
        return window

    def _batch(self, window: _Window, number: int) -> Batch:
        label = np.empty(0, np.float32) if window.label is None else window.label[number]
        weight = None if window.weight is None else window.weight[number]
        return self._on_device(window.features[number], label, weight, window.deal.global_rows)

    def _on_device(
        self,
        features: NDArray[np.float32],
        label: NDArray[Any],
        weight: NDArray[np.float64] | None,
        global_rows: int,
    ) -> Batch:
        return Batch(
            self._move(torch.from_numpy(features)),
            self._move(torch.from_numpy(label)),
            None if weight is None else self._move(torch.from_numpy(weight).float()),
            float(len(label) if weight is None else weight.sum()),
            global_rows,
        )

    def _move(self, values: torch.Tensor) -> torch.Tensor:
        if self.device.type == "cpu":
            return values
        return values.pin_memory().to(self.device, non_blocking=True)


@dataclass
class _Window:
    """This rank's rows of some batches; the first two axes are batches and rows."""

    deal: Deal
    features: NDArray[np.float32]
    label: NDArray[Any] | None = None
    weight: NDArray[np.float64] | None = None


def _deal(values: NDArray[Any], index: NDArray[np.int64], batches: NDArray[Any], at: int) -> None:
    """Put ``values[index]`` on the batches in turn, from the place after the ``at`` there are."""
    turn = len(batches)
    row, first = divmod(at, turn)
    head = min(len(index), (turn - first) % turn)
    if head:
        batches[first : first + head, row] = values[index[:head]]
        row += 1
    rounds = (len(index) - head) // turn
    if rounds:
        # Each batch gets its rows of all rounds at once: long copies instead of many short ones.
        by_batch = index[head : head + rounds * turn].reshape(rounds, turn).T.ravel()
        taken = np.take(values, by_batch, axis=0)
        batches[:, row : row + rounds] = taken.reshape(turn, rounds, *values.shape[1:])
    tail = index[head + rounds * turn :]
    if len(tail):
        batches[: len(tail), row + rounds] = values[tail]


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
