"""A network that is trained on parts of a batch, with the result of the global batch.

Most networks compute each row by itself, and need nothing of this. Those that draw random numbers,
normalize over the batch, or sum over it run inside a
:class:`~matexapps.sharding.global_batch.ShardedBatch`. :func:`shard_network` tries a network on a
few rows before training, to find out which kind it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

from matexapps.comm.communicator import Communicator
from matexapps.errors import TrainingError
from matexapps.sharding.global_batch import ShardedBatch, is_compiled
from matexapps.sharding.row_axes import PartAxes, RowAxes
from matexapps.sharding.shard import Part
from matexapps.sharding.trial import Forward, Trial, try_network

# The strides of a single row do not tell how a tensor lies in memory, so in which order numbers are
# drawn for it. Layers such as batch normalization refuse a single row.
_FEWEST_ROWS_OF_A_RANK = 2


def rows_to_try(world_size: int) -> int:
    """Return how many rows :func:`shard_network` wants: ranks' parts then differ in size."""
    return _FEWEST_ROWS_OF_A_RANK * world_size + 1


class ShardedNetwork:
    """Acts for the global batch while a network runs on this rank's rows.

    Parameters
    ----------
    comm : Communicator
    axes : RowAxes or None
        Where the network's tensors have rows; None if that is not known.
    acts : bool
        Whether what the network computes of some rows depends on others, or on random numbers.
    compiled : bool
        Whether parts of the network are compiled; they run uncompiled inside.
    changed : sequence of str
        The buffers that the network changes in training.
    """

    def __init__(
        self,
        comm: Communicator,
        axes: RowAxes | None = None,
        *,
        acts: bool = False,
        compiled: bool = False,
        changed: Sequence[str] = (),
    ) -> None:
        self.acts = acts
        self._comm, self._axes, self._compiled, self._changed = comm, axes, compiled, changed
        self._modes: dict[int, ShardedBatch] = {}

    def has_too_few_rows(self, rows: int) -> bool:
        """Whether every rank must compute all of a global batch of ``rows`` rows."""
        few = rows < _FEWEST_ROWS_OF_A_RANK * self._comm.world_size
        return self.acts and (self._axes is None or few)

    def acting(self, rows: int) -> AbstractContextManager[object]:
        """Act for a global batch of ``rows`` rows in the forward and backward pass inside.

        Nothing is done where it has too few rows. What exchanges values with other ranks inside is
        collective.
        """
        if not self.acts or self._axes is None or self.has_too_few_rows(rows):
            return nullcontext()
        mode = self._modes.get(rows)
        if mode is None:
            part = Part(rows, self._comm)
            axes = PartAxes(self._axes, len(part))
            mode = self._modes[rows] = ShardedBatch(part, axes, compiled=self._compiled)
        return mode

    def changed_buffers(self, network: nn.Module) -> dict[str, torch.Tensor]:
        """Return copies of the buffers that the network changes in training, by name."""
        return {name: network.get_buffer(name).clone() for name in self._changed}


def shard_network(
    network: nn.Module,
    forward: Forward,
    features: torch.Tensor,
    comm: Communicator,
    *,
    half: bool = False,
) -> ShardedNetwork:
    """Find out how a network is trained on parts of a batch.

    On several ranks the network is called three times: on all of the rows, and twice on a part of
    them. Afterwards its parameters, buffers and attributes are as before, with the lists and dicts
    in them, and so are the generators of random numbers; nothing is printed. What a call changes
    elsewhere stays, such as a list outside of the network that it appends to. On one rank the
    network is not called.

    Collective only where the result ``acts``: whether it does, every rank finds out alone, from the
    same rows.

    Parameters
    ----------
    network : nn.Module
        In training mode.
    forward : callable
        Takes a network and rows, and returns its outputs.
    features : Tensor, shape (rows, ...)
        The same on every rank: :func:`rows_to_try` rows, or all there are if these are fewer.
    comm : Communicator
    half : bool
        Whether ``forward`` computes in numbers of half size, so that results are rough.

    Raises
    ------
    TrainingError
        If the result would depend on the number of ranks.
    """
    if comm.world_size == 1:
        return ShardedNetwork(comm)
    compiled, count = is_compiled(network), len(features)
    if count < 2 * _FEWEST_ROWS_OF_A_RANK:
        return ShardedNetwork(comm, acts=True, compiled=compiled)
    larger, smaller = features.tensor_split([count - count // 2])
    everything = try_network(network, forward, features, half=half)
    first = try_network(network, forward, larger)
    if elsewhere := [name for name in everything.drawn if name != "torch"]:
        raise _refusal(network, comm, f"it draws from {elsewhere[0]}'s generator")
    axes, unknown = _find_axes(everything, count, first, len(larger))
    sums_rows = axes is not None and axes.overlap(everything.reduced)
    acts = bool(everything.drawn) or everything.mixes_rows or sums_rows
    acts = acts or _depends(everything, [first, try_network(network, forward, smaller)])
    changed = everything.changed_buffers
    if not acts:
        return ShardedNetwork(comm, changed=changed)
    if axes is None:
        raise _refusal(network, comm, unknown)
    sharded = ShardedNetwork(comm, axes, acts=True, compiled=compiled, changed=changed)
    if not sharded.has_too_few_rows(count):
        part = Part(count, comm)
        acting = sharded.acting(count)
        mine = try_network(network, forward, part.cut(features), acting=acting)
        why = _difference(everything, mine, part)
        if reason := next(filter(None, comm.all_gather_object(why)), ""):
            raise _refusal(network, comm, reason)
    return sharded


def _find_axes(
    everything: Trial, rows: int, first: Trial, rows_of_first: int
) -> tuple[RowAxes | None, str]:
    """Return where tensors have rows, or why that is not known."""
    try:
        return RowAxes(everything.seen, rows, first.seen, rows_of_first), ""
    except TrainingError as error:
        return None, str(error)


def _depends(everything: Trial, parts: list[Trial]) -> bool:
    """Whether what a network computes of some rows depends on others."""
    output = torch.cat([part.output for part in parts])
    return everything.differs(output) or any(map(everything.different_buffer, parts))


def _difference(expected: Trial, mine: Trial, part: Part) -> str:
    """Return in what a run on this rank's rows differs from its part of all rows, "" if not."""
    if expected.differs(mine.output, part):
        return "the outputs of some rows depend on other rows, or on random numbers of its own"
    if not torch.equal(mine.random_state, expected.random_state):
        return "it draws random numbers in a way that cannot be cut by rows"
    if name := expected.different_buffer(mine):
        return f"its buffer {name!r} depends on all rows of a batch"
    return ""


def _refusal(network: nn.Module, comm: Communicator, why: str) -> TrainingError:
    return TrainingError(
        f"{type(network).__name__} would not give the result of one rank on {comm.world_size} "
        f"ranks: {why}. Outputs of a row may depend on other rows by torch's batch normalization, "
        "sums and means, and on torch's random functions; use these, or train on one rank"
    )
