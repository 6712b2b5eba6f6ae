"""Inside a network that has a part of the rows, what depends on all of them acts as for all."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import lru_cache
from types import FunctionType
from typing import Any, Self

import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from matexapps.errors import TrainingError
from matexapps.sharding.batch_norm import batch_norm, moments
from matexapps.sharding.keras_layers import batch_moments
from matexapps.sharding.randomness import DRAWING, draw, drawn_shape, draws
from matexapps.sharding.recurrent import RECURRENT, drops_between_layers, run_layers
from matexapps.sharding.reductions import REDUCING, reduce, reduced_shape
from matexapps.sharding.shard import Part, row_axis

_BATCH_NORM = {
    "running_mean": None, "running_var": None, "weight": None, "bias": None,
    "training": False, "momentum": 0.1, "eps": 1e-5,
}  # fmt: skip
# They draw random numbers in functions that they call.
_COMPOSED = {functional.multi_head_attention_forward, functional.gumbel_softmax}
_BACKWARD = {torch.Tensor.backward, torch.autograd.backward}
# Every other function passes after one look.
_WATCHED = DRAWING | REDUCING | RECURRENT | _COMPOSED | {functional.batch_norm, batch_moments}
_TAKEN_OVER = _WATCHED | _BACKWARD

Seen = tuple[Any, torch.Size]


class _Mode(TorchFunctionMode):
    """Sees each function called inside.

    Parameters
    ----------
    compiled : bool
        Whether parts of the network are compiled; they run uncompiled inside, since a mode does not
        see what compiled code calls.
    """

    def __init__(self, compiled: bool) -> None:
        super().__init__()
        self._compiled, self._stances = compiled, list[Any]()

    def __enter__(self) -> Self:
        if self._compiled:
            self._stances.append(torch.compiler.set_stance("force_eager"))
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        if self._compiled:
            self._stances.pop().__exit__(*error)


class GlobalBatch(_Mode):
    """Watches a network compute all rows.

    Parameters
    ----------
    compiled : bool
        Whether parts of the network are compiled.

    Attributes
    ----------
    seen : list
        The functions that would have to act for all rows, and the shapes they were given.
    """

    def __init__(self, *, compiled: bool) -> None:
        super().__init__(compiled)
        self.seen: list[Seen] = []

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if function in _WATCHED:
            shape = _shape(function, args, kwargs)
            self._see(function, shape, args, kwargs)
            if shape is None and function in _COMPOSED:
                with self:
                    return _opened(function)(*args, **kwargs)
        return function(*args, **kwargs)

    def _see(
        self, function: Any, shape: torch.Size | None, args: tuple[Any, ...], kwargs: Any
    ) -> None:
        if shape is not None:
            self.seen.append((function, shape))


class ShardedBatch(_Mode):
    """Random numbers, batch normalization, sums and means as for the global batch.

    A backward pass that is started inside acts in the same way on what is computed again in it, as
    by ``torch.utils.checkpoint``.

    Parameters
    ----------
    part : Part
    axes : dict
        Where tensors have rows, by function and shape; it grows if ``seen`` is given.
    seen : list, optional
        What :class:`GlobalBatch` has seen of the same call. Without it, a shape that ``axes`` does
        not know is judged by itself.
    compiled : bool
        Whether parts of the network are compiled.

    Attributes
    ----------
    needed : bool
        Whether there was anything to do.
    """

    def __init__(
        self,
        part: Part,
        axes: dict[Seen, int | None],
        seen: list[Seen] | None = None,
        *,
        compiled: bool = False,
    ) -> None:
        super().__init__(compiled)
        self._part, self._axes = part, axes
        self._seen = None if seen is None else iter(seen)
        self._in_backward = False
        self.needed = False

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if function not in _TAKEN_OVER:
            return function(*args, **kwargs)
        if function in _BACKWARD:
            return self._backward(function, args, kwargs)
        if self._in_backward and not torch.is_grad_enabled():
            # A gradient is computed here; what is computed again has gradients of its own.
            return function(*args, **kwargs)
        result = self._for_all(function, args, kwargs)
        if result is None:
            return function(*args, **kwargs)
        self.needed = True
        return result

    def _backward(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        before, self._in_backward = self._in_backward, True
        try:
            with self:
                return _opened(function)(*args, **kwargs)
        finally:
            self._in_backward = before

    def _for_all(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the result of a function that must act for all rows, None for any other."""
        shape = _shape(function, args, kwargs)
        if shape is not None:
            axis = self._axis(function, shape)
            if axis is None:
                return None
            act = draw if function in DRAWING else reduce
            return act(function, args, kwargs, self._part, axis)
        if function in _COMPOSED:
            with self:
                return _opened(function)(*args, **kwargs)
        if drops_between_layers(function, args):
            return run_layers(function, args, self._part)
        if function is batch_moments:
            return moments(args[0], args[1], self._part)
        if function is functional.batch_norm:
            return self._batch_norm(args, kwargs)
        return None

    def _batch_norm(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        given: dict[str, Any] = dict(_BATCH_NORM)
        given |= dict(zip(_BATCH_NORM, args[1:], strict=False)) | kwargs
        values = given.pop("input", args[0] if args else None)
        if not given.pop("training"):
            return None
        return batch_norm(values, **given, part=self._part)

    def _axis(self, function: Any, shape: torch.Size) -> int | None:
        call = function, shape
        if self._seen is None:
            try:
                return self._axes[call]
            except KeyError:
                return self._part.axis_of(shape)
        expected, all_rows = next(self._seen, (None, shape))
        if expected is not function:
            raise TrainingError("it calls other functions with fewer rows")
        axis = row_axis(all_rows, self._part.rows, shape, len(self._part))
        if self._axes.setdefault(call, axis) != axis:
            raise TrainingError("tensors of equal shape are rows here and no rows there")
        return axis


def is_compiled(network: nn.Module) -> bool:
    """Whether parts of a network were given to ``torch.compile``."""
    if "torch._dynamo" not in sys.modules:
        return False
    kind = sys.modules["torch._dynamo"].OptimizedModule
    return any(
        isinstance(module, kind) or module._compiled_call_impl is not None
        for module in network.modules()
    )


def needs_global_batch(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a call needs the global batch wherever its tensors have rows."""
    if function is functional.batch_norm:
        training = args[5] if len(args) > 5 else kwargs.get("training", False)
        return bool(training)
    return function is batch_moments or drops_between_layers(function, args)


def _shape(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> torch.Size | None:
    """Return the shape that tells where the rows are; None if ``function`` needs none."""
    if draws(function, args, kwargs):
        return drawn_shape(function, args, kwargs)
    return reduced_shape(function, args, kwargs) if function in REDUCING else None


@lru_cache
def _opened(function: FunctionType) -> Callable[..., Any]:
    """Return a function of torch whose own calls pass through the mode, unlike its own call."""
    no_overrides = {
        name: lambda *tensors: False
        for name in function.__code__.co_names
        if name.startswith("has_torch_function")
    }
    return FunctionType(
        function.__code__,
        {**function.__globals__, **no_overrides},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
