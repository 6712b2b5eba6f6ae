"""Trying a network on a few rows, without a trace."""

from __future__ import annotations

import copy
import io
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from matexapps.sharding.global_batch import GlobalBatch, Seen, needs_global_batch
from matexapps.sharding.reductions import REDUCING, reduces_axis
from matexapps.sharding.shard import Part

Forward = Callable[[nn.Module, torch.Tensor], torch.Tensor]

# Rounding depends on how many rows are multiplied at once.
_ROUNDING = 1e-3, 1e-5
_ROUNDING_OF_HALF = 5e-2, 5e-2


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
    draws : bool
        Whether it drew from torch's generator.
    draws_elsewhere : str
        Whose generator else it drew from, "" if from none.
    random_state : Tensor of uint8
        What state it left torch's generator in.
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
    draws: bool
    draws_elsewhere: str
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
        return not self._close(output, expected)

    def different_buffer(self, other: Trial) -> str:
        """Return the name of a buffer that another run has left different, "" without one."""
        pairs = ((name, self.buffers[name], value) for name, value in other.buffers.items())
        return next((name for name, mine, value in pairs if not self._close(mine, value)), "")

    def _close(self, values: torch.Tensor, expected: torch.Tensor) -> bool:
        if values.shape != expected.shape or values.dtype != expected.dtype:
            return False
        relative, absolute = _ROUNDING_OF_HALF if self.half else _ROUNDING
        return torch.allclose(values, expected, rtol=relative, atol=absolute, equal_nan=True)


class _Watch(GlobalBatch):
    """Notes also what is summed over, and what mixes rows."""

    def __init__(self) -> None:
        super().__init__()
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
    """Run a copy of a network in training mode, and put all generators back.

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
    mode = _Watch()
    original = {name: value.detach().clone() for name, value in network.named_buffers()}
    before, others = _torch_states(), _other_states()
    with _copied(network) as copied, _silent():
        try:
            with torch.enable_grad(), acting or mode:
                output = forward(copied, features.clone())
            states = _torch_states()
            elsewhere = [name for name, state in _other_states().items() if state != others[name]]
        finally:
            _put_back(before, others)
        buffers = {name: value.detach().clone() for name, value in copied.named_buffers()}
    return Trial(
        output.detach(),
        buffers,
        [name for name, value in buffers.items() if not torch.equal(value, original[name])],
        draws=not all(map(torch.equal, states, before)),
        draws_elsewhere=elsewhere[0] if elsewhere else "",
        random_state=torch.cat(states),
        seen=mode.seen,
        reduced=mode.reduced,
        mixes_rows=mode.mixes_rows,
        half=half,
    )


@contextmanager
def _copied(network: nn.Module) -> Iterator[nn.Module]:
    """Give a copy of a network in which no parameters of zeros hide what depends on rows."""
    try:
        copied = copy.deepcopy(network)
    except Exception:
        # Some hold what cannot be copied, such as results of earlier calls.
        buffers = [(buffer, buffer.clone()) for buffer in network.buffers()]
        try:
            yield network
        finally:
            for buffer, value in buffers:
                buffer.copy_(value)
        return
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in copied.parameters():
            if parameter.is_floating_point() and not parameter.any():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / 10)
    yield copied


@contextmanager
def _silent() -> Iterator[None]:
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def _torch_states() -> list[torch.Tensor]:
    states = [torch.get_rng_state()]
    if torch.cuda.is_initialized():
        states.append(torch.cuda.get_rng_state())
    return states


def _other_states() -> dict[str, Any]:
    state: Any = np.random.get_state()  # noqa: NPY002  # networks use it
    return {
        "numpy": (state[1].tobytes(), *state[2:]),
        "Python": random.getstate(),
    }


def _put_back(states: list[torch.Tensor], others: dict[str, Any]) -> None:
    torch.set_rng_state(states[0])
    for state in states[1:]:
        torch.cuda.set_rng_state(state)
    keys, *more = others["numpy"]
    np.random.set_state(("MT19937", np.frombuffer(keys, np.uint32), *more))  # noqa: NPY002
    random.setstate(others["Python"])


def is_compiled(network: nn.Module) -> bool:
    """Whether parts of a network were given to ``torch.compile``."""
    if "torch._dynamo" not in sys.modules:
        return False
    kind = sys.modules["torch._dynamo"].OptimizedModule
    return any(
        isinstance(module, kind) or module._compiled_call_impl is not None
        for module in network.modules()
    )


def not_compiled(compiled: bool) -> AbstractContextManager[Any]:
    """Let compiled parts run uncompiled inside, where modes see what they call."""
    return torch.compiler.set_stance("force_eager") if compiled else nullcontext()
