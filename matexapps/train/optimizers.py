"""The optimizer of a training, from what the caller gave."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from matexapps.errors import TrainingError

OptimizerFactory = Callable[[list[nn.Parameter]], torch.optim.Optimizer]
_DEFAULT_LEARNING_RATE = 1e-3


def make_optimizer(
    optimizer: torch.optim.Optimizer | OptimizerFactory | None, parameters: list[nn.Parameter]
) -> torch.optim.Optimizer:
    """Return an optimizer of ``parameters``: the given one, the function's, or AdamW.

    Raises
    ------
    TrainingError
        If it is none that steps once per gradient, or it holds other parameters.
    """
    if optimizer is None:
        return torch.optim.AdamW(parameters, lr=_DEFAULT_LEARNING_RATE)
    made = optimizer if isinstance(optimizer, torch.optim.Optimizer) else optimizer(parameters)
    if isinstance(made, torch.optim.LBFGS):
        raise TrainingError("LBFGS evaluates the loss many times a step; use SGD or AdamW")
    own = {id(p) for p in parameters}
    if not any(id(p) in own for group in made.param_groups for p in group["params"]):
        raise TrainingError(
            "the optimizer holds none of the model's parameters; make it from "
            "model.parameters(), or pass a function of the parameters"
        )
    return made
