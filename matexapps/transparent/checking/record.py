"""What a program computes in its first steps, recorded to be compared."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from matexapps.sharding import keras_layers
from matexapps.transparent.patching import after_import, patched
from matexapps.transparent.probing.pytree import flatten
from matexapps.transparent.probing.shardability import is_concrete

_MOST_VALUES = 100_000


class EnoughSteps(BaseException):
    """The program has made as many steps as are recorded."""


class Event(NamedTuple):
    """A tensor that a program has computed.

    Attributes
    ----------
    step : int
        The optimizer's step that it belongs to, from 1.
    kind : {"input", "output", "gradient", "weight"}
    name : str
    values : Tensor, shape (n,)
        At most 100,000 of its values, evenly spaced, in float64.
    """

    step: int
    kind: str
    name: str
    values: torch.Tensor


class Recorder:
    """Records inputs and outputs of networks, gradients and weights.

    Parameters
    ----------
    steps : int
        After how many steps of optimizers to end the program.
    """

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._step = 1
        self._events: list[Event] = []
        self._names: dict[int, str] = {}
        self._calls: dict[str, int] = {}
        self._inside = False

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record the program that runs inside until it has made its steps."""
        with ExitStack() as stack:

            def record_calls(owner: Any) -> None:
                original = owner.__call__

                def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
                    return self._call(original, module, args, kwargs)

                stack.enter_context(patched(owner, "__call__", call))

            def record_keras_steps(module: Any) -> None:
                apply = self._keras_apply(module.BaseOptimizer.apply)
                stack.enter_context(patched(module.BaseOptimizer, "apply", apply))

            record_calls(nn.Module)
            hooks: dict[str, Callable[[Any], None]] = {
                keras_layers.LAYER: lambda module: record_calls(module.Layer),
                keras_layers.OPTIMIZER: record_keras_steps,
            }
            for name, hook in hooks.items():
                stack.enter_context(after_import(name, hook))
            before = register_optimizer_step_pre_hook(self._add_gradients)
            stack.callback(before.remove)
            after = register_optimizer_step_post_hook(
                lambda optimizer, *_: self._end_step(self._parameters(optimizer))
            )
            stack.callback(after.remove)
            with suppress(EnoughSteps):
                yield

    def save(self, path: Path) -> None:
        """Write the record to a file, to be read by :func:`load`."""
        keys = [[event.step, event.kind, event.name] for event in self._events]
        tensors = {str(number): event.values for number, event in enumerate(self._events)}
        save_file(tensors, path, {"events": json.dumps(keys)})

    def _call(self, original: Callable[..., Any], module: nn.Module, args: Any, kwargs: Any) -> Any:
        if self._inside:
            return original(module, *args, **kwargs)
        self._inside = True
        try:
            outputs = original(module, *args, **kwargs)
        finally:
            self._inside = False
        kind = type(module).__name__
        parameters = list(module.named_parameters())
        inputs, _ = flatten((args, kwargs))
        if parameters and is_concrete(inputs):
            self._names |= {id(p): f"{name} of {kind}" for name, p in parameters}
            number = self._calls[kind] = self._calls.get(kind, 0) + 1
            call = f"call {number} of {kind}"
            self._add("input", ((call, leaf) for leaf in inputs))
            self._add("output", ((call, leaf) for leaf in flatten(outputs)[0]))
        return outputs

    def _keras_apply(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def apply(optimizer: Any, grads: Any, trainable_variables: Any = None) -> Any:
            variables = trainable_variables or optimizer._trainable_variables
            names = [variable.path for variable in variables]
            self._add("gradient", zip(names, grads, strict=True))
            result = original(optimizer, grads, trainable_variables)
            self._end_step(zip(names, (v.value for v in variables), strict=True))
            return result

        return apply

    def _add(self, kind: str, values: Iterable[tuple[str, Any]]) -> None:
        self._events += [
            Event(self._step, kind, name, _sample(value))
            for name, value in values
            if isinstance(value, torch.Tensor) and value.numel()
        ]

    def _parameters(self, optimizer: Any) -> list[tuple[str, torch.Tensor]]:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        return [(self._names.get(id(p), f"parameter {k}"), p) for k, p in enumerate(parameters)]

    def _add_gradients(self, optimizer: Any, *_: Any) -> None:
        self._add("gradient", ((name, p.grad) for name, p in self._parameters(optimizer)))

    def _end_step(self, weights: Iterable[tuple[str, torch.Tensor]]) -> None:
        self._add("weight", weights)
        self._step += 1
        if self._step > self._steps:
            raise EnoughSteps


def load(path: Path) -> list[Event]:
    """Read what :meth:`Recorder.save` has written."""
    with safe_open(path, "pt") as file:
        keys = json.loads(file.metadata()["events"])
    tensors = load_file(path)
    return [
        Event(step, kind, name, tensors[str(number)])
        for number, (step, kind, name) in enumerate(keys)
    ]


def _sample(value: torch.Tensor) -> torch.Tensor:
    plain = value.detach().cpu()
    plain = torch.view_as_real(plain) if plain.is_complex() else plain
    flat = plain.to_dense().reshape(-1)
    return flat[:: -(-flat.numel() // _MOST_VALUES)].to(torch.float64, copy=True)
