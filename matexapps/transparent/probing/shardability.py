"""Whether a network's call can be shared out by rows, found out by trying it.

A network may treat an axis of its inputs as rows that it computes independently of each other, or
not (a graph's nodes, a sum over the batch). So a call is tried both ways, whole and on this rank's
part, and its traces are undone. Only where outputs, the network's own state and the random number
generators come out alike is it shared.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from matexapps.comm.communicator import Communicator
from matexapps.sharding.global_batch import GlobalBatch, Seen, ShardedBatch
from matexapps.sharding.shard import Part
from matexapps.transparent.probing.pytree import PLAIN, Shell, flatten, unflatten
from matexapps.transparent.probing.snapshot import Snapshot, generators, same
from matexapps.transparent.probing.tolerant_ranks import Trying

Axes = tuple[int | None, ...]


@dataclass(frozen=True)
class Plan:
    """How a network's calls are shared out.

    Attributes
    ----------
    inputs, outputs : tuple of int or None
        For each leaf of the inputs and outputs the axis along which it has rows.
    axis : int
        That axis of the first input.
    acts_for_all : bool
        Whether random numbers or statistics inside depend on the whole batch.
    draws : bool
        Whether a call draws random numbers.
    inner_axes : dict
        Where the tensors inside have rows that this comes by, by function and shape.
    """

    inputs: Axes
    outputs: Axes
    axis: int
    acts_for_all: bool
    draws: bool
    inner_axes: dict[Seen, int | None]


def find_plan(
    call: Callable[..., Any], network: nn.Module, leaves: list[Any], structure: Any,
    comm: Communicator,
) -> tuple[Plan | None, str]:  # fmt: skip
    """Try a call of ``network``. Collective.

    Parameters
    ----------
    call : callable
        Calls the network: ``call(network, *args, **kwargs)``.
    network : nn.Module
    leaves, structure : list, TreeSpec or None
        The arguments, flattened; None where they are plain tensors.
    comm : Communicator

    Returns
    -------
    plan : Plan or None
        None where the call cannot be shared out.
    why : str
        What stands against it then.
    """
    why = _why_no_rows(leaves)
    for axis in (0, 1):
        inputs = input_axes(leaves, axis, comm.world_size)
        if inputs is None:
            continue
        trying = Trying(comm)
        plan, reason = _try(call, network, leaves, structure, trying, inputs, axis)
        reasons = trying.ended(reason)
        if not any(reasons):
            return plan, ""
        if axis == 0:
            why = next(reason for reason in reasons if reason)
    return None, why


def has_numbers(leaves: list[Any]) -> bool:
    """Whether the inputs are numbers to compute with.

    Not so where Keras builds a model, torch traces one, or transforms one, as with vmap and grad.
    """
    # Where one is mapped, its inputs or its weights may be what stands for many.
    if torch.jit.is_tracing() or torch._C._functorch.peek_interpreter_stack() is not None:
        return False
    for leaf in leaves:
        if isinstance(leaf, torch.Tensor):
            if leaf.is_meta:
                return False
        elif type(leaf).__name__ == "KerasTensor" or isinstance(leaf, torch.fx.Proxy):
            return False
    return True


def rows_of(leaves: list[Any], axis: int) -> int:
    """Return the rows of the first tensor among the inputs, 0 without one."""
    for leaf in leaves:
        if isinstance(leaf, torch.Tensor) and leaf.dim() > axis:
            return leaf.size(axis)
    return 0


def input_axes(leaves: list[Any], axis: int, world_size: int) -> Axes | None:
    """Return for each leaf the axis along which it has rows, as many as the first; None if few."""
    rows = rows_of(leaves, axis)
    if rows < world_size:
        return None

    def axis_of(leaf: Any) -> int | None:
        if isinstance(leaf, torch.Tensor):
            for candidate in (axis, 1 - axis):
                if leaf.dim() > candidate and leaf.shape[candidate] == rows:
                    return candidate
        return None

    return tuple(map(axis_of, leaves))


def _try(
    call: Callable[..., Any], network: nn.Module, leaves: list[Any], structure: Any,
    comm: Trying, inputs: Axes, axis: int,
) -> tuple[Plan | None, str]:  # fmt: skip
    part = Part(rows_of(leaves, axis), comm, axis)  # type: ignore[arg-type]  # sums are enough
    try:
        snapshot = Snapshot(network)
    except Exception as error:
        return None, f"its state cannot be told ({error})"
    watching, axes = GlobalBatch(), dict[Seen, int | None]()
    try:
        with _unseen() as printed:
            args, kwargs = nested(_clones(leaves), structure)
            with watching:
                whole = call(network, *args, **kwargs)
            if not _as_they_were(args, kwargs, leaves, structure):
                return None, "it changes its inputs"
            text = printed.getvalue()
            expected, after = snapshot.changes(), generators()
            snapshot.restore()
            draws = not same(after, generators())
            args, kwargs = nested(_clones(cut(leaves, inputs, part)), structure)
            with ShardedBatch(part, axes, watching.seen) as mode:
                mine = call(network, *args, **kwargs)
            seen = snapshot.changes()
            alike = same(after, generators())
            told_alike = printed.getvalue() == 2 * text
    except Exception as error:
        return None, f"it fails on a part of the rows ({type(error).__name__}: {error})"
    finally:
        snapshot.restore()
    if not told_alike:
        return None, "what it prints depends on which rows it has"
    if not alike:
        return None, "it draws random numbers in a way that cannot be shared out"
    different = snapshot.differing(expected, seen)
    if different:
        return None, f"a call leaves something behind that depends on all rows ({different[0]})"
    outputs = _output_axes(whole, mine, part, mode.needed)
    if isinstance(outputs, str):
        return None, outputs
    return Plan(inputs, outputs, axis, mode.needed, draws, axes), ""


def cut(leaves: list[Any], axes: Axes, part: Part) -> list[Any]:
    """Return the inputs with this rank's rows of those that have rows."""
    return [
        leaf if axis is None else part.cut(leaf, axis)
        for leaf, axis in zip(leaves, axes, strict=True)
    ]


def nested(leaves: list[Any], structure: Any) -> Any:
    """Return positional and keyword arguments from their leaves and how they are nested."""
    return (leaves, {}) if structure is None else unflatten(leaves, structure)


def _clones(leaves: list[Any]) -> list[Any]:
    return [leaf.clone() if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]


def _as_they_were(args: Any, kwargs: Any, leaves: list[Any], structure: Any) -> bool:
    """Whether a call has left what it was given as it was: ``leaves``, nested."""
    now, nesting = (args, None) if structure is None else flatten((tuple(args), kwargs))
    return nesting == structure and all(
        one is other or same(one, other) for one, other in zip(now, leaves, strict=True)
    )


def _why_no_rows(leaves: list[Any]) -> str:
    if any(isinstance(leaf, torch.Tensor) for leaf in leaves):
        return "its inputs have no rows in common"
    kinds = sorted({type(leaf).__name__ for leaf in leaves if not isinstance(leaf, PLAIN)})
    return f"among its inputs are no tensors{_not_looked_into(kinds)}"


def _not_looked_into(kinds: list[str]) -> str:
    if not kinds:
        return ""
    return f", and objects of {', '.join(kinds)} are not looked into (dataclasses and dicts are)"


def _output_axes(whole: Any, mine: Any, part: Part, acts_for_all: bool) -> Axes | str:
    """Return where the outputs have rows, or why the part's are not the part of the outputs.

    A number, such as a loss, may be that of the whole batch where sums act for all.
    """
    everything, structure = flatten(whole)
    own, own_structure = flatten(mine)
    mixes = "the outputs of some rows depend on other rows"
    if structure != own_structure:
        return mixes
    tensors = [leaf for leaf in everything if isinstance(leaf, torch.Tensor)]
    if tensors and all(tensor.dim() == 0 for tensor in tensors):
        return "all it returns is a number, such as a loss; let it return outputs with rows too"
    axes: list[int | None] = []
    for all_rows, rows in zip(everything, own, strict=True):
        if not isinstance(all_rows, torch.Tensor):
            if not same(all_rows, rows):
                looked_into = isinstance(all_rows, (*PLAIN, Shell))
                kinds = [] if looked_into else [type(all_rows).__name__]
                return mixes + _not_looked_into(kinds)
            axes.append(None)
            continue
        if acts_for_all and all_rows.dim() == 0 and same(all_rows, rows):
            axes.append(None)
            continue
        axis = next((a for a in (0, 1) if _is_part(all_rows, rows, a, part)), None)
        if axis is None:
            return mixes
        axes.append(axis)
    return tuple(axes) if any(axis is not None for axis in axes) else mixes


def _is_part(whole: Any, mine: Any, axis: int, part: Part) -> bool:
    return (
        isinstance(mine, torch.Tensor)
        and whole.dim() > axis
        and whole.shape[axis] == part.rows
        and same(part.cut(whole, axis), mine)
    )


@contextmanager
def _unseen() -> Iterator[io.StringIO]:
    nowhere = io.StringIO()
    with warnings.catch_warnings(), redirect_stdout(nowhere), redirect_stderr(nowhere):
        warnings.simplefilter("ignore")
        yield nowhere
