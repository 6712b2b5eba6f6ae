"""Where the tensors inside a network have rows, for batches of any size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from matexapps.errors import TrainingError
from matexapps.sharding.global_batch import Seen
from matexapps.sharding.randomness import DRAWING
from matexapps.sharding.shard import row_axis

Function = Callable[..., Any]


@dataclass(frozen=True)
class _Call:
    """What a function was given in a run on ``rows`` rows.

    ``axis`` is None where the tensor is the same for all rows; ``known`` is False where its shape
    depends on what the rows contain, as with graphs.
    """

    function: Function
    shape: torch.Size
    rows: int
    axis: int | None
    known: bool = True

    def fits(self, shape: torch.Size, rows: int, exactly: bool) -> bool:
        """Whether ``shape`` may be that of this call with another number of rows."""
        if not self.known or len(shape) != len(self.shape):
            return False
        if self.axis is None:
            return shape == self.shape
        expected = list(self.shape)
        expected[self.axis] = self.shape[self.axis] // self.rows * rows
        if exactly:
            return list(shape) == expected
        return shape[self.axis] == expected[self.axis]


class RowAxes:
    """What two runs of a network on different numbers of rows tell of its tensors.

    Parameters
    ----------
    calls, others : sequence of (function, shape)
        What :class:`~matexapps.sharding.global_batch.GlobalBatch` has seen in each run.
    rows, other_rows : int
        How many rows each run had.

    Raises
    ------
    TrainingError
        If random numbers are drawn for tensors whose rows are not known.
    """

    def __init__(
        self, calls: Sequence[Seen], rows: int, others: Sequence[Seen], other_rows: int
    ) -> None:
        if [function for function, _ in calls] != [function for function, _ in others]:
            raise TrainingError("it calls other functions with fewer rows")
        self._calls = [
            _find_axis(function, shape, rows, other, other_rows)
            for (function, shape), (_, other) in zip(calls, others, strict=True)
        ]

    def overlap(self, reduced: Sequence[set[int]]) -> bool:
        """Whether the axis of rows is among the axes ``reduced`` over, in any of the calls."""
        pairs = zip(self._calls, reduced, strict=True)
        return any(call.axis in axes for call, axes in pairs)

    def axis(self, function: Function, shape: torch.Size, rows: int) -> int | None:
        """Return where a tensor has rows in a run on ``rows`` rows; None where it has none.

        Raises
        ------
        TrainingError
            If nothing in the runs was like it, or several calls were that differ.
        """
        of_function = [call for call in self._calls if call.function is function]
        for exactly in (True, False):
            axes = {call.axis for call in of_function if call.fits(shape, rows, exactly)}
            if len(axes) == 1:
                return axes.pop()
            if axes:
                raise TrainingError(
                    f"{_name(function)} is given tensors of shape {tuple(shape)} that have rows "
                    "along different axes; choose another batch_size"
                )
        if function not in DRAWING and not all(call.known for call in of_function):
            return None
        raise TrainingError(
            f"{_name(function)} is given a tensor of shape {tuple(shape)} for {rows} rows, unlike "
            "any when the network was tried on the first rows; let every batch take the same way "
            "through the network"
        )


class PartAxes(dict[Seen, int | None]):
    """The axes for parts of ``rows`` rows, found when they are asked for."""

    def __init__(self, axes: RowAxes, rows: int) -> None:
        super().__init__()
        self._axes_of_rows, self._rows = axes, rows

    def __missing__(self, call: Seen) -> int | None:
        axis = self[call] = self._axes_of_rows.axis(*call, self._rows)
        return axis


def _find_axis(
    function: Function, shape: torch.Size, rows: int, other: torch.Size, other_rows: int
) -> _Call:
    try:
        return _Call(function, shape, rows, row_axis(shape, rows, other, other_rows))
    except TrainingError as error:
        if function in DRAWING:
            raise TrainingError(f"{_name(function)} draws where {error}") from error
        return _Call(function, shape, rows, None, known=False)


def _name(function: Function) -> str:
    return getattr(function, "__name__", str(function))
