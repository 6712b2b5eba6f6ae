"""Inside a network that has a part of the rows, what depends on all of them acts as for all."""

from __future__ import annotations

from typing import Any

from torch.nn import functional
from torch.overrides import TorchFunctionMode

from matexapps.transparent.batch_norm import batch_norm, moments
from matexapps.transparent.keras_layers import batch_moments
from matexapps.transparent.part import Part
from matexapps.transparent.randomness import draw, draws

_BATCH_NORM = {
    "running_mean": None, "running_var": None, "weight": None, "bias": None,
    "training": False, "momentum": 0.1, "eps": 1e-5,
}  # fmt: skip


class PartOfBatch(TorchFunctionMode):
    """Random numbers and batch normalisation as for the whole batch.

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
        if draws(function, kwargs):
            self.needed = True
            return draw(function, args, kwargs, self._part)
        if function is batch_moments:
            self.needed = True
            return moments(args[0], args[1], self._part)
        if function is functional.batch_norm:
            given: dict[str, Any] = dict(_BATCH_NORM)
            given |= dict(zip(_BATCH_NORM, args[1:], strict=False)) | kwargs
            values = given.pop("input", args[0] if args else None)
            if given.pop("training"):
                self.needed = True
                return batch_norm(values, **given, part=self._part)
        return function(*args, **kwargs)
