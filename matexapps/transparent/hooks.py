"""Hooks of the program's own, which would see the rows of one rank only."""

from __future__ import annotations

from torch import nn

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def watched_by_the_program(network: nn.Module) -> str:
    """Return which hooks of the program's own would see a part of the rows, "" for none."""
    for name, module in network.named_modules():
        for kind in _HOOKS:
            for hook in getattr(module, kind, {}).values():
                if not getattr(hook, "__module__", type(hook).__module__).startswith("torch."):
                    return f"a hook on its module {name or 'itself'!r} would see some rows only"
    for name, parameter in network.named_parameters():
        if parameter._backward_hooks or parameter._post_accumulate_grad_hooks:
            return f"a hook on its parameter {name!r} would see the gradient of some rows only"
    return ""
