"""Whether one call of a network can be sharded by rows, found out by trying it.

A network may compute the rows along some axis of its inputs independently of each other, or not (a
graph's nodes, a sum over the batch). So a call is tried both ways, on all rows and on this rank's
rows, and its traces are undone. It is sharded only where outputs, the state of the network and the
random number generators agree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from matexapps.comm.communicator import Communicator
from matexapps.sharding.global_batch import GlobalBatch, Seen, ShardedBatch, is_compiled
from matexapps.sharding.shard import Part
from matexapps.sharding.snapshot import PLAIN, Snapshot, generator_states, silenced, values_close
from matexapps.transparent.probing.pytree import Shell, flatten, unflatten
from matexapps.transparent.probing.tolerant_ranks import TolerantRanks

Axes = tuple[int | None, ...]

_MIXES_ROWS = (
    "the outputs of some rows depend on other rows, as in a graph network; if yours should not, "
    "look for a sum, a norm or a reshape over the batch"
)


@dataclass(frozen=True)
class Plan:
    """How a kind of call of a network is sharded.

    Attributes
    ----------
    inputs, outputs : tuple of int or None
        For each leaf of the inputs and outputs the axis of its rows; None if it has none.
    axis : int
        That axis of the first input.
    needs_global_batch : bool
        Whether random numbers or statistics inside the network depend on the global batch.
    draws : bool
        Whether a call draws random numbers.
    inner_axes : dict
        The axis of the rows of tensors inside the network, by function and shape.
    compiled : bool
        Whether parts of the network are compiled.
    """

    inputs: Axes
    outputs: Axes
    axis: int
    needs_global_batch: bool
    draws: bool
    inner_axes: dict[Seen, int | None]
    compiled: bool


def probe_call(
    call: Callable[..., Any], network: nn.Module, leaves: list[Any], nesting: Any,
    comm: Communicator,
) -> tuple[Plan | None, str]:  # fmt: skip
    """Try a call of ``network`` on all rows and on this rank's rows. Collective.

    Parameters
    ----------
    call : callable
        Calls the network: ``call(network, *args, **kwargs)``.
    network : nn.Module
    leaves, nesting : list, TreeSpec or None
        The flattened arguments; without nesting they are tensors, given by position.
    comm : Communicator

    Returns
    -------
    plan : Plan or None
        None where the call cannot be sharded.
    reason : str
        Why it cannot, and what to do; "" if it can.
    """
    reason = _why_no_rows(leaves)
    for axis in (0, 1):
        inputs = input_axes(leaves, axis, comm.world_size)
        if inputs is None:
            continue
        ranks = TolerantRanks(comm)
        plan, own_reason = _try(call, network, leaves, nesting, ranks, inputs, axis)
        reasons = list(filter(None, ranks.finish(own_reason)))
        if not reasons:
            return plan, ""
        if axis == 0:
            reason = reasons[0]
    return None, reason


def is_concrete(leaves: list[Any]) -> bool:
    """Whether the inputs are numbers to compute with.

    They are not where Keras builds a model, torch traces one, or vmap or grad transforms one.
    """
    # Inside such a transform a tensor may stand for many.
    if torch.jit.is_tracing() or torch._C._functorch.peek_interpreter_stack() is not None:
        return False
    for leaf in leaves:
        if isinstance(leaf, torch.Tensor):
            if leaf.is_meta:
                return False
        elif type(leaf).__name__ == "KerasTensor" or isinstance(leaf, torch.fx.Proxy):
            return False
    return True


def count_rows(leaves: list[Any], axis: int) -> int:
    """Return the length of ``axis`` of the first tensor that has it, 0 if there is none."""
    for leaf in leaves:
        if isinstance(leaf, torch.Tensor) and leaf.dim() > axis:
            return leaf.size(axis)
    return 0


def input_axes(leaves: list[Any], axis: int, world_size: int) -> Axes | None:
    """Return for each leaf the axis that is as long as the first tensor's ``axis``.

    Returns
    -------
    tuple of int or None, or None
        None where there are fewer rows than ranks.
    """
    rows = count_rows(leaves, axis)
    if rows < world_size:
        return None

    def axis_of(leaf: Any) -> int | None:
        if isinstance(leaf, torch.Tensor):
            for candidate in (axis, 1 - axis):
                if leaf.dim() > candidate and leaf.shape[candidate] == rows:
                    return candidate
        return None

    return tuple(map(axis_of, leaves))


def nest_arguments(leaves: list[Any], nesting: Any) -> Any:
    """Return positional and keyword arguments from their leaves."""
    return (leaves, {}) if nesting is None else unflatten(leaves, nesting)


def _try(
    call: Callable[..., Any], network: nn.Module, leaves: list[Any], nesting: Any,
    ranks: TolerantRanks, inputs: Axes, axis: int,
) -> tuple[Plan | None, str]:  # fmt: skip
    part = Part(count_rows(leaves, axis), ranks, axis)  # type: ignore[arg-type]  # reductions do
    try:
        snapshot = Snapshot(network)
    except Exception as error:
        return None, f"its state cannot be copied ({error})"
    compiled, inner_axes = is_compiled(network), dict[Seen, int | None]()
    global_batch = GlobalBatch(compiled=compiled)
    try:
        with silenced() as printed:
            args, kwargs = nest_arguments(_clone(leaves), nesting)
            with global_batch:
                expected = call(network, *args, **kwargs)
            if not _unmodified(args, kwargs, leaves, nesting):
                return None, "it modifies its inputs; compute new tensors instead"
            text = printed.getvalue()
            expected_changes, generators = snapshot.changes(), generator_states()
            draws = bool(snapshot.drawn_generators())
            snapshot.restore()
            args, kwargs = nest_arguments(_clone(_shard_inputs(leaves, inputs, part)), nesting)
            mode = ShardedBatch(part, inner_axes, global_batch.seen, compiled=compiled)
            with mode:
                outputs = call(network, *args, **kwargs)
            changes = snapshot.changes()
            same_draws = values_close(generators, generator_states())
            same_text = printed.getvalue() == 2 * text
    except Exception as error:
        return None, f"it fails on some of the rows alone ({type(error).__name__}: {error})"
    finally:
        snapshot.restore()
    if not same_text:
        return None, "what it prints depends on the rows; print outside the network"
    if not same_draws:
        return None, "it draws random numbers in a way that cannot be sharded; draw them outside"
    different = snapshot.differences(changes, expected_changes)
    if different:
        return None, f"a call changes its state in a way that depends on all rows ({different[0]})"
    output_axes = _output_axes(expected, outputs, part, mode.needed)
    if isinstance(output_axes, str):
        return None, output_axes
    return Plan(inputs, output_axes, axis, mode.needed, draws, inner_axes, compiled), ""


def _shard_inputs(leaves: list[Any], axes: Axes, part: Part) -> list[Any]:
    return [
        leaf if axis is None else part.cut(leaf, axis)
        for leaf, axis in zip(leaves, axes, strict=True)
    ]


def _clone(leaves: list[Any]) -> list[Any]:
    return [leaf.clone() if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]


def _unmodified(args: Any, kwargs: Any, leaves: list[Any], nesting: Any) -> bool:
    """Whether a call has left its arguments as they were given: ``leaves``, nested."""
    now, now_nesting = (args, None) if nesting is None else flatten((tuple(args), kwargs))
    return now_nesting == nesting and all(
        leaf is before or values_close(leaf, before)
        for leaf, before in zip(now, leaves, strict=True)
    )


def _why_no_rows(leaves: list[Any]) -> str:
    if any(isinstance(leaf, torch.Tensor) for leaf in leaves):
        return "its inputs have no axis of rows in common; give it the batch as first axis"
    kinds = sorted({type(leaf).__name__ for leaf in leaves if not isinstance(leaf, PLAIN)})
    return f"there are no tensors among its inputs{_not_searched(kinds)}"


def _not_searched(kinds: list[str]) -> str:
    if not kinds:
        return ""
    return (
        f"; objects of type {', '.join(kinds)} are not searched for tensors: use tuples, lists, "
        "dicts or dataclasses instead"
    )


def _output_axes(expected: Any, outputs: Any, part: Part, needs_global_batch: bool) -> Axes | str:
    """Return where the outputs have rows, or why the sharded outputs are not rows of the others.

    A single number, such as a loss, may be that of the global batch where sums are.
    """
    expected_leaves, nesting = flatten(expected)
    leaves, own_nesting = flatten(outputs)
    if nesting != own_nesting:
        return _MIXES_ROWS
    tensors = [leaf for leaf in expected_leaves if isinstance(leaf, torch.Tensor)]
    if tensors and all(tensor.dim() == 0 for tensor in tensors):
        return "it returns only a number, such as a loss; let it return outputs with rows too"
    axes: list[int | None] = []
    for all_rows, rows in zip(expected_leaves, leaves, strict=True):
        if not isinstance(all_rows, torch.Tensor):
            if not values_close(all_rows, rows):
                if isinstance(all_rows, (*PLAIN, Shell)):
                    return _MIXES_ROWS
                return f"its outputs cannot be gathered{_not_searched([type(all_rows).__name__])}"
            axes.append(None)
            continue
        if needs_global_batch and all_rows.dim() == 0 and values_close(all_rows, rows):
            axes.append(None)
            continue
        axis = next((a for a in (0, 1) if _has_rows(all_rows, rows, a, part)), None)
        if axis is None:
            return _MIXES_ROWS
        axes.append(axis)
    return tuple(axes) if any(axis is not None for axis in axes) else _MIXES_ROWS


def _has_rows(all_rows: torch.Tensor, rows: Any, axis: int, part: Part) -> bool:
    """Whether ``rows`` are this rank's rows of ``all_rows`` along ``axis``."""
    return (
        isinstance(rows, torch.Tensor)
        and all_rows.dim() > axis
        and all_rows.shape[axis] == part.rows
        and values_close(part.cut(all_rows, axis), rows)
    )
