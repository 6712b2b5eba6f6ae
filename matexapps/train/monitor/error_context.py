"""Where an exception was raised: a note on it, with the batch and its rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from matexapps.comm.single import SingleProcess
from matexapps.data.loading.batch import Batch
from matexapps.data.part import Part
from matexapps.errors import PeerAborted, TrainingError
from matexapps.train.state.position import Position

_MARK = "matexapps: "
_MOST_SHOWN = 8
_NOBODYS_FAULT = (KeyboardInterrupt, SystemExit, GeneratorExit, PeerAborted)


class ErrorContext:
    """A block of work; an exception that leaves it gets a note that says where it was raised.

    Where blocks are nested, only the inner one adds a note.

    Parameters
    ----------
    doing : str
        What is done, such as ``"in training, epoch 3"``.
    batches : int
        How many batches there are in all.
    done : int
        How many of them come before the first that :meth:`follow` yields.
    """

    def __init__(self, doing: str, batches: int = 0, done: int = 0) -> None:
        self._doing, self._batches, self._number = doing, batches, done
        self._batch: Batch | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if error is not None and not isinstance(error, _NOBODYS_FAULT):
            _add_note(error, self._describe())

    def follow(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """Yield ``batches``, and remember which one is under way."""
        for batch in batches:
            self._batch = batch
            self._number += 1
            yield batch
            self._batch = None

    def _describe(self) -> str:
        if not self._batches:
            return self._doing
        if self._batch is None:
            return f"{self._doing}, while reading batch {self._number + 1} of {self._batches}"
        rows = shown("this rank's", self._batch.ids)
        return f"{self._doing}, batch {self._number} of {self._batches}, {rows}"


def _add_note(error: BaseException, note: str) -> None:
    """Note on ``error`` where it was raised, unless a note says so already."""
    if not any(text.startswith(_MARK) for text in getattr(error, "__notes__", ())):
        error.add_note(_MARK + note)


def shown(whose: str, ids: NDArray[np.int64]) -> str:
    """Return the first few row numbers in words.

    Rows are numbered from 0 through all files of the source; headers are not counted.
    """
    if not len(ids):
        return f"none of {whose} rows"
    first = ", ".join(map(str, ids[:_MOST_SHOWN].tolist()))
    dots = ", ..." if len(ids) > _MOST_SHOWN else ""
    count = "1 row" if len(ids) == 1 else f"{len(ids)} rows"
    return f"{whose} rows {first}{dots} ({count}, numbered from 0)"


def flush_losses(position: Position, rows: Part | None, batch_size: int, seed: int) -> None:
    """Add the losses of a position's latest steps to its sums.

    Raises
    ------
    TrainingError
        If a loss is not finite, with a note of the rows of its global batch if ``rows``, all
        training rows, are given.
    """
    try:
        position.flush_losses()
    except TrainingError as error:
        if rows is not None and position.not_finite is not None:
            ids = ids_of_step(rows, batch_size, seed, position.epoch, position.not_finite)
            _add_note(error, "in training, " + shown("all ranks'", ids))
        raise


def ids_of_step(rows: Part, batch_size: int, seed: int, epoch: int, step: int) -> NDArray[np.int64]:
    """Return the row numbers of a global batch: that of step ``step``, from 1, of ``epoch``.

    Not collective, because the order of rows does not depend on the number of ranks.
    """
    loader = rows.open_loader(batch_size, SingleProcess(), torch.device("cpu"), seed)
    return next(loader.shuffled(epoch, step - 1)).ids
