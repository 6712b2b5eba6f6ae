"""Inside a network that has a part of the rows, what depends on all of them acts as for all."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from types import FunctionType
from typing import Any

from torch.nn import functional
from torch.overrides import TorchFunctionMode

from matexapps.transparent.batch_norm import batch_norm, moments
from matexapps.transparent.keras_layers import batch_moments
from matexapps.transparent.part import Part
from matexapps.transparent.randomness import draw, draws
from matexapps.transparent.recurrent import drops_between_layers, run_layers
from matexapps.transparent.reductions import reduce, reduces

_BATCH_NORM = {
    "running_mean": None, "running_var": None, "weight": None, "bias": None,
    "training": False, "momentum": 0.1, "eps": 1e-5,
}  # fmt: skip
# They draw random numbers in functions that they call.
_COMPOSED = {functional.multi_head_attention_forward, functional.gumbel_softmax}


class PartOfBatch(TorchFunctionMode):
    """Random numbers, batch normalisation, sums and means as for the whole batch.

    Attributes
    ----------
    needed : bool
        Whether there was anything to do.
    """

    def __init__(self, part: Part) -> None:
        super().__init__()
        self._part = part
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
        if draws(function, args, kwargs):
            return draw(function, args, kwargs, self._part)
        if reduces(function):
            return reduce(function, args, kwargs, self._part)
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
