"""Trying a network on a few rows, without a trace."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from matexapps.sharding.global_batch import GlobalBatch, Seen, is_compiled, needs_global_batch
from matexapps.sharding.reductions import REDUCING, reduces_axis
from matexapps.sharding.shard import Part
from matexapps.sharding.snapshot import Snapshot, random_state, silenced, values_close

Forward = Callable[[nn.Module, torch.Tensor], torch.Tensor]


@dataclass
class Trial:
    """What a network did with some rows.

    Attributes
    ----------
    output : Tensor, shape (rows, ...)
    buffers : dict of Tensor
        As the run has left them, by name.
    changed_buffers : list of str
        Which of them it has changed.
    drawn : list of str
        Whose generators it drew from: Python's, numpy's or torch's.
    random_state : Tensor of uint8
        What state it left torch's generators in.
    seen : list of (function, shape)
        See :class:`~matexapps.sharding.global_batch.GlobalBatch`.
    reduced : list of set of int
        Over which axes each of these functions sums.
    mixes_rows : bool
        Whether some function mixes the rows of its tensors, wherever they are.
    half : bool
        Whether numbers of half size are in between, so that results are rough.
    """

    output: torch.Tensor
    buffers: dict[str, torch.Tensor]
    changed_buffers: list[str]
    drawn: list[str]
    random_state: torch.Tensor
    seen: list[Seen] = field(default_factory=list)
    reduced: list[set[int]] = field(default_factory=list)
    mixes_rows: bool = False
    half: bool = False

    def differs(self, output: torch.Tensor, part: Part | None = None) -> bool:
        """Whether other outputs are not these, or not those of a part of the rows."""
        if part is not None and len(self.output) != part.rows:
            return True
        expected = self.output if part is None else part.cut(self.output)
        return not values_close(output, expected, half=self.half)

    def different_buffer(self, other: Trial) -> str:
        """Return the name of a buffer that another run has left different, "" without one."""
        for name, value in other.buffers.items():
            if not values_close(self.buffers[name], value, half=self.half):
                return name
        return ""


class _Watch(GlobalBatch):
    """Notes also what is summed over, and what mixes rows."""

    def __init__(self, *, compiled: bool) -> None:
        super().__init__(compiled=compiled)
        self.reduced: list[set[int]] = []
        self.mixes_rows = False

    def _see(
        self, function: Any, shape: torch.Size | None, args: tuple[Any, ...], kwargs: Any
    ) -> None:
        super()._see(function, shape, args, kwargs)
        if shape is None:
            self.mixes_rows |= needs_global_batch(function, args, kwargs)
            return
        axes = range(len(shape)) if function in REDUCING else ()
        self.reduced.append({axis for axis in axes if reduces_axis(function, args, kwargs, axis)})


def try_network(
    network: nn.Module,
    forward: Forward,
    features: torch.Tensor,
    *,
    half: bool = False,
    acting: AbstractContextManager[object] | None = None,
) -> Trial:
    """Run a network in training mode, and undo what the run has changed.

    Parameters
    ----------
    network : nn.Module
    forward : callable
        Takes a network and rows, and returns its outputs.
    features : Tensor, shape (rows, ...)
    half : bool
        Whether ``forward`` computes in numbers of half size.
    acting : context manager, optional
        What the network runs in. Without it, which functions it calls is noted.
    """
    mode, snapshot = _Watch(compiled=is_compiled(network)), Snapshot(network)
    original = {name: value.detach().clone() for name, value in network.named_buffers()}
    try:
        _fill_zeros(network)
        with silenced(), torch.enable_grad(), acting or mode:
            output = forward(network, features.clone()).detach()
        buffers = {name: value.detach().clone() for name, value in network.named_buffers()}
        drawn, states = snapshot.drawn_generators(), random_state()
    finally:
        snapshot.restore()
    return Trial(
        output,
        buffers,
        [name for name, value in buffers.items() if not torch.equal(value, original[name])],
        drawn,
        random_state=torch.cat(list(states.values())),
        seen=mode.seen,
        reduced=mode.reduced,
        mixes_rows=mode.mixes_rows,
        half=half,
    )


def _fill_zeros(network: nn.Module) -> None:
    """Draw numbers for parameters of zeros, which would hide what depends on rows."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.is_floating_point() and not parameter.any():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / 10)
