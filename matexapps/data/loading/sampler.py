"""The order in which an epoch visits the rows: one for all ranks.

Rows in memory
    One random permutation of all rows (:func:`global_permutation`).

Rows in a file larger than memory (:class:`WindowedOrder`)
    The file is read in blocks of neighboring rows. The order of the blocks is random but visits all
    regions of the file evenly: the file is cut into as many regions as a window has blocks, and the
    shuffled blocks of each region are spread evenly over the epoch. So each window has about one
    block of each region, and even a file that is sorted by its label looks the same from window to
    window. The rows of each block are shuffled too (one permutation is drawn for the epoch, and
    where to start in it for each block), and the resulting sequence is cut into windows of complete
    batches. Within a window rows are dealt to its batches like cards: row ``j`` of the window goes
    to batch ``j mod batches``. So each batch draws evenly from all blocks of its window, and a
    rank's part of *all* batches of a window comes from neighboring blocks: together, N ranks read
    each block once, and the few at the boundaries twice.

Both are functions of the rows, the seed and the epoch (the second also of the batch size and of
the memory bound), never of the number of ranks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from matexapps.data.partition import share

# Separate the random numbers of blocks from those of whole epochs.
_BLOCKS, _ROWS, _BEGINS = 1, 2, 3


def global_permutation(rows: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return the order of ``rows`` row numbers in ``epoch``, a function of its arguments alone.

    It does not depend on the rank or world size, so every number of ranks visits the same global
    batches.
    """
    stream = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, epoch])))
    return stream.permutation(rows)


@dataclass(frozen=True)
class Deal:
    """One rank's part of some batches of equal size, as positions in the order of the epoch.

    Attributes
    ----------
    start : int
        First position of the rank's part, which is contiguous.
    batches : int
        Number of batches that the positions are dealt to in turn.
    rows : int
        Rows of this rank in each of them.
    global_rows : int
        Rows of all ranks in each of them.
    """

    start: int
    batches: int
    rows: int
    global_rows: int

    @property
    def stop(self) -> int:
        """The position after the last."""
        return self.start + self.batches * self.rows


@dataclass(frozen=True)
class Window:
    """Where the rows of some positions in the order of the epoch are.

    Attributes
    ----------
    blocks : ndarray of int64
        The blocks that they come from.
    positions : ndarray of int64
        All rows of these blocks in the order of the epoch, including those that are not to be
        visited, as positions among the concatenated rows of the blocks.
    first : int
        How many of those that are to be visited come before the first position.
    """

    blocks: NDArray[np.int64]
    positions: NDArray[np.int64]
    first: int


class WindowedOrder:
    """The order of one epoch over blocks of rows.

    Parameters
    ----------
    counts : ndarray of int, shape (blocks,)
        How many rows of each block are to be visited.
    sizes : ndarray of int, shape (blocks,)
        How many rows each block has.
    batch_size : int
        Rows of a global batch.
    window_rows : int
        How many rows a window holds at most, over all ranks; at least one batch is taken.
    seed, epoch : int
    """

    def __init__(
        self,
        counts: NDArray[np.int64],
        sizes: NDArray[np.int64],
        batch_size: int,
        window_rows: int,
        seed: int,
        epoch: int,
    ) -> None:
        self._counts, self._sizes, self._seed, self._epoch = counts, sizes, seed, epoch
        self.batch_size = batch_size
        self.window_batches = max(1, window_rows // batch_size)
        rows = max(1, int(counts.sum()))
        self._blocks = self._spread(max(1, round(window_rows * len(counts) / rows)))
        most = max(1, int(sizes.max(initial=0)))
        order = self._stream(_ROWS).permutation(most)
        # Line i is the order starting at position i.
        self._turned = sliding_window_view(np.concatenate([order, order]), most)
        self._begins = self._stream(_BEGINS).integers(most, size=len(counts))
        self._ends = np.cumsum(counts[self._blocks])
        self.rows = int(self._ends[-1]) if len(counts) else 0

    def deals(self, first_batch: int, rank: int, world_size: int) -> Iterator[tuple[Deal, int]]:
        """Yield a rank's part of each window from the one that holds ``first_batch`` on.

        Each comes with the number of its batches before ``first_batch``. Together the batches of
        all deals are the batches of the epoch, in order; all but the last have ``batch_size`` rows.
        """
        size, step = self.batch_size, self.window_batches
        full = self.rows // size
        for window in range(first_batch // step * step, full, step):
            batches = min(step, full - window)
            part = share(size, rank, world_size)
            start = window * size + batches * part.start
            deal = Deal(start, batches, part.stop - part.start, size)
            yield deal, max(0, first_batch - window)
        rest = self.rows - full * size
        if rest and first_batch <= full:
            part = share(rest, rank, world_size)
            yield Deal(full * size + part.start, 1, part.stop - part.start, rest), 0

    def window(self, start: int, stop: int) -> Window:
        """Return where the rows of positions ``start`` to ``stop - 1`` are."""
        if start == stop:
            return Window(np.empty(0, np.int64), np.empty(0, np.int64), 0)
        first = int(np.searchsorted(self._ends, start, side="right"))
        last = int(np.searchsorted(self._ends, stop, side="left"))
        blocks = self._blocks[first : last + 1]
        before = int(self._ends[first] - self._counts[blocks[0]])
        blocks = blocks[self._counts[blocks] > 0]
        sizes = self._sizes[blocks]
        positions = self._turned[self._begins[blocks]]
        short = (sizes < positions.shape[1]).any()
        present = positions < sizes[:, None] if short else None
        positions += (np.cumsum(sizes) - sizes)[:, None]
        positions = positions.ravel() if present is None else positions[present]
        return Window(blocks, positions, start - before)

    def _spread(self, regions: int) -> NDArray[np.int64]:
        """Return the order of the blocks: those of each region spread evenly over the epoch."""
        stream = self._stream(_BLOCKS)
        moment = np.empty(len(self._counts))
        for part in np.array_split(np.arange(len(moment)), min(regions, max(1, len(moment)))):
            positions = stream.permutation(len(part)) + stream.random()
            moment[part] = positions / max(1, len(part))
        return np.argsort(moment, kind="stable")

    def _stream(self, what: int) -> np.random.Generator:
        sequence = np.random.SeedSequence([self._seed, self._epoch, what])
        return np.random.Generator(np.random.PCG64(sequence))
