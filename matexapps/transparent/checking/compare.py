"""The first difference between two records of a program, and its likely cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from matexapps.transparent.checking.record import Event

# Sums in another order differ by rounding in float32, and by more where a value near zero falls on
# the other side of a kink (ReLU); a mistake changes all of a tensor by much more.
_RELATIVE, _ABSOLUTE = 1e-3, 1e-6
# A gradient this small beside the others is rounding, as for a bias before batch normalization.
# Optimizers such as Adam turn it into full steps.
_NOISE = 1e-5

_CAUSES = {
    "path": "the program takes another path, since something it decides by differs: the time, the "
    "number of cores, or a random number from a generator that it does not seed",
    "input": "its data differ: it draws random numbers from an unseeded generator of its own, or a "
    "network draws them for some of the rows only (see the warnings above)",
    "output": "with the same inputs and weights, what the network computes for a row depends on "
    "other rows of the batch, or on something it remembers from its last call",
    "gradient": "with the same outputs, the backward pass is not a mean or sum over rows: a hook "
    "or an autograd function changes gradients by what it sees of the batch, or a gradient is "
    "changed in place before the backward pass has ended",
    "weight": "with the same gradients, the optimizer's step differs: it draws random numbers, or "
    "depends on the rank",
}


@dataclass(frozen=True)
class Difference:
    """The first tensor that differs.

    Attributes
    ----------
    step : int
    what : str
        Which tensor, in words.
    largest, scale : float
        The largest difference, and the largest value.
    cause : str
        The likely cause.
    """

    step: int
    what: str
    largest: float
    scale: float
    cause: str

    def __str__(self) -> str:
        size = f", by {self.largest:.2g} where values reach {self.scale:.2g}" if self.scale else ""
        return (
            f"the first difference is in step {self.step}: {self.what}{size}\n"
            f"likely cause: {self.cause}"
        )


def first_difference(expected: Sequence[Event], events: Sequence[Event]) -> Difference | None:
    """Return the first difference between two records, None if they agree up to rounding.

    Weights whose gradient is nothing but rounding in some step are not compared.

    Parameters
    ----------
    expected, events : sequence of Event
        Recorded on one rank, and on several.
    """
    noise = _names_with_noise(expected)
    for event, other in zip(expected, events, strict=False):
        if event[:3] != other[:3] or event.values.shape != other.values.shape:
            what = f"{_describe(event)} on one rank, {_describe(other)} on several"
            return Difference(event.step, what, 0.0, 0.0, _CAUSES["path"])
        if event.name not in noise and not _close(other, event):
            largest = largest_difference(other, event)
            scale = float(event.values.abs().nan_to_num().max())
            return Difference(event.step, _describe(event), largest, scale, _CAUSES[event.kind])
    if len(expected) != len(events):
        step = max(expected[-1].step if expected else 1, events[-1].step if events else 1)
        return Difference(step, "one of the runs ends earlier", 0.0, 0.0, _CAUSES["path"])
    return None


def _names_with_noise(events: Sequence[Event]) -> set[str]:
    """Return the names of weights whose gradients are nothing but rounding in some step."""
    steps: dict[int, dict[str, float]] = {}
    for event in events:
        if event.kind == "gradient":
            steps.setdefault(event.step, {})[event.name] = float(event.values.abs().max())
    return {
        name
        for sizes in steps.values()
        for name, size in sizes.items()
        if size < _NOISE * max(sizes.values())
    }


def _close(event: Event, expected: Event) -> bool:
    size = expected.values.nan_to_num().norm()
    limit = _RELATIVE * size + _ABSOLUTE * len(expected.values) ** 0.5
    return bool(_differences(event, expected).norm() <= limit)


def largest_difference(event: Event, expected: Event) -> float:
    """Return the largest difference of values; two that are NaN do not differ."""
    return float(_differences(event, expected).nan_to_num(torch.inf).max())


def _differences(event: Event, expected: Event) -> torch.Tensor:
    values, other = event.values, expected.values
    equal = (values == other) | (values.isnan() & other.isnan())
    return torch.where(equal, 0.0, (values - other).abs())


def _describe(event: Event) -> str:
    if event.kind in ("gradient", "weight"):
        return f"the {event.kind} {event.name}"
    return f"an {event.kind} of {event.name}"
