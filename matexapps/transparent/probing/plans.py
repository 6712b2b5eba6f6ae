"""The plans by which a network's calls are sharded, one for each kind of call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from matexapps.comm.communicator import Communicator
from matexapps.transparent.probing.pytree import Shell
from matexapps.transparent.probing.shardability import Plan, count_rows, input_axes, probe_call
from matexapps.transparent.probing.structure import Structure

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_UNPROBED: Any = object()


class CallPlans:
    """Probes each kind of call of a network the first time, and remembers the result.

    Calls are of one kind if their inputs are nested in the same way, with tensors of the same types
    and numbers of axes, and if the network's training modes and hooks are the same.

    Parameters
    ----------
    comm : Communicator

    Attributes
    ----------
    reason : str
        Why the kind of call that was probed last cannot be sharded; "" if it can.
    """

    def __init__(self, comm: Communicator) -> None:
        self._comm = comm
        self._plans: dict[Any, Plan | None] = {}
        self._hooks_seen = -1
        self._hook_reason = ""
        self.reason = ""

    def find(
        self,
        call: Callable[..., Any],
        network: nn.Module,
        structure: Structure,
        leaves: list[Any],
        nesting: Any,
    ) -> Plan | None:
        """Return the plan for a call, None if it cannot be sharded. Collective.

        Parameters
        ----------
        call, network, leaves, nesting
            As for :func:`~matexapps.transparent.probing.shardability.probe_call`.
        structure : Structure
            The network's.
        """
        world_size = self._comm.world_size
        if 0 < count_rows(leaves, 0) < world_size:
            return None

        def plan_for(kind: Any) -> Plan | None:
            plan = self._plans.get(kind, _UNPROBED)
            if plan is _UNPROBED:
                plan = self._plans[kind] = self._probe(call, network, leaves, nesting)
            return plan

        kind: Any = (
            nesting,
            tuple(map(_leaf_kind, leaves)),
            torch.is_grad_enabled(),
            structure.modes(network),
            self._reason_of_hooks(network),
        )
        plan = plan_for(kind)
        if plan is None:
            return None
        rows = count_rows(leaves, plan.axis)
        if plan.needs_global_batch:
            # Shapes show which tensors inside hold rows, so each number of rows is another kind.
            kind = (kind, rows)
            plan = plan_for(kind)
        if plan is not None and rows >= world_size:
            axes = input_axes(leaves, plan.axis, world_size)
            if axes != plan.inputs:
                # Another input has as many rows now, or one no longer has.
                plan = plan_for((kind, axes))
        return None if rows < world_size else plan

    def forget(self) -> None:
        """Probe every kind of call again."""
        self._plans.clear()
        self.reason = ""

    def _probe(
        self, call: Callable[..., Any], network: nn.Module, leaves: list[Any], nesting: Any
    ) -> Plan | None:
        plan, self.reason = None, self._hook_reason
        if not self.reason:
            plan, self.reason = probe_call(call, network, leaves, nesting, self._comm)
        return plan

    def _reason_of_hooks(self, network: nn.Module) -> str:
        # The handle of each new hook has the next number.
        hooks_made = RemovableHandle.next_id
        if hooks_made != self._hooks_seen:
            self._hooks_seen, self._hook_reason = hooks_made, _find_user_hook(network)
        return self._hook_reason


def _find_user_hook(network: nn.Module) -> str:
    """Return which hook of the user's own would see only this rank's rows, "" for none."""
    for name, module in network.named_modules():
        for kind in _HOOKS:
            for hook in getattr(module, kind, {}).values():
                if not getattr(hook, "__module__", type(hook).__module__).startswith("torch."):
                    return (
                        f"a hook on its module {name or 'itself'!r} would see only some of the "
                        "rows; remove the hook where it is not needed"
                    )
    for name, parameter in network.named_parameters():
        if parameter._backward_hooks or parameter._post_accumulate_grad_hooks:
            return (
                f"a hook on its parameter {name!r} would see the gradient of only some of the "
                "rows; change the gradient after backward() instead"
            )
    return ""


def _leaf_kind(leaf: Any) -> Any:
    if isinstance(leaf, torch.Tensor):
        return leaf.dim(), leaf.dtype
    if isinstance(leaf, Shell):
        return leaf.kind
    return leaf if isinstance(leaf, (bool, int, str, type(None))) else type(leaf)
