"""Inside a network that has a part of the rows, what depends on all of them acts as for all."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from types import FunctionType
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from matexapps.errors import TrainingError
from matexapps.sharding.batch_norm import batch_norm, moments
from matexapps.sharding.keras_layers import batch_moments
from matexapps.sharding.randomness import draw, drawn_shape, draws
from matexapps.sharding.recurrent import drops_between_layers, run_layers
from matexapps.sharding.reductions import reduce, reduced_shape, reduces
from matexapps.sharding.shard import Part

_BATCH_NORM = {
    "running_mean": None, "running_var": None, "weight": None, "bias": None,
    "training": False, "momentum": 0.1, "eps": 1e-5,
}  # fmt: skip
# They draw random numbers in functions that they call.
_COMPOSED = {functional.multi_head_attention_forward, functional.gumbel_softmax}


Seen = tuple[Any, torch.Size]


class GlobalBatch(TorchFunctionMode):
    """Watches a network compute all rows.

    Attributes
    ----------
    seen : list
        The functions that would have to act for all rows, and the shapes they were given.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Seen] = []

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        shape = _shape(function, args, kwargs)
        if shape is not None:
            self.seen.append((function, shape))
        elif function in _COMPOSED:
            with self:
                return _opened(function)(*args, **kwargs)
        return function(*args, **kwargs)


class ShardedBatch(TorchFunctionMode):
    """Random numbers, batch normalization, sums and means as for the whole batch.

    Parameters
    ----------
    part : Part
    axes : dict
        Where tensors have rows, by function and shape; it grows if ``whole`` is given.
    whole : list, optional
        What :class:`GlobalBatch` has seen of the same call. Without it, a shape that is not known
        is judged by itself.

    Attributes
    ----------
    needed : bool
        Whether there was anything to do.
    """

    def __init__(
        self, part: Part, axes: dict[Seen, int | None], whole: list[Seen] | None = None
    ) -> None:
        super().__init__()
        self._part, self._axes = part, axes
        self._whole = None if whole is None else iter(whole)
        self.needed = False

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        result = self._for_all(function, args, kwargs)
        if result is None:
            return function(*args, **kwargs)
        self.needed = True
        return result

    def _for_all(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the result of a function that must act for all rows, None for any other."""
        shape = _shape(function, args, kwargs)
        if shape is not None:
            axis = self._axis(function, shape)
            if axis is None:
                return None
            act = draw if draws(function, args, kwargs) else reduce
            return act(function, args, kwargs, self._part, axis)
        if function in _COMPOSED:
            with self:
                return _opened(function)(*args, **kwargs)
        if drops_between_layers(function, args):
            return run_layers(function, args, self._part)
        if function is batch_moments:
            return moments(args[0], args[1], self._part)
        if function is functional.batch_norm:
            given: dict[str, Any] = dict(_BATCH_NORM)
            given |= dict(zip(_BATCH_NORM, args[1:], strict=False)) | kwargs
            values = given.pop("input", args[0] if args else None)
            if given.pop("training"):
                return batch_norm(values, **given, part=self._part)
        return None

    def _axis(self, function: Any, shape: torch.Size) -> int | None:
        seen = function, shape
        if self._whole is None:
            return self._axes[seen] if seen in self._axes else self._part.axis_of(shape)
        called, whole = next(self._whole, (None, shape))
        if called is not function:
            raise TrainingError("it takes another way with fewer rows")
        axis = self._part.axis_between(whole, shape)
        if self._axes.setdefault(seen, axis) != axis:
            raise TrainingError("tensors of equal shape are rows here and no rows there")
        return axis


def _shape(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> torch.Size | None:
    """Return the shape that tells where the rows are; None if ``function`` needs none."""
    if draws(function, args, kwargs):
        return drawn_shape(function, args, kwargs)
    return reduced_shape(function, args, kwargs) if reduces(function) else None


@lru_cache
def _opened(function: FunctionType) -> Callable[..., Any]:
    """Return a function of torch that passes itself by, so that its own calls come here."""
    deaf = {
        name: lambda *tensors: False
        for name in function.__code__.co_names
        if name.startswith("has_torch_function")
    }
    return FunctionType(
        function.__code__,
        {**function.__globals__, **deaf},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
