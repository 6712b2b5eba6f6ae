"""Two records of the same program: the first difference, and what it is likely to come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from matexapps.transparent.checking.record import Event

# Sums in another order differ by rounding in float32, and more where a value near zero falls on the
# other side of a kink (ReLU); a mistake changes the whole by much more.
_RELATIVE, _ABSOLUTE = 1e-3, 1e-6
# A gradient this small beside the others is rounding, as for a bias before batch normalization.
# Optimizers such as Adam make whole steps of it.
_NOISE = 1e-5

_CAUSES = {
    "path": "the program takes another path: something that it decides by differs, such as the "
    "time, the number of cores, or a random number that it does not seed",
    "input": "its data differ: random numbers that are drawn from a generator of its own without "
    "a seed, or that a network draws for some rows only (see the warnings above)",
    "output": "with the same inputs and weights, what the network computes for a row depends on "
    "other rows of the batch, or on something it keeps from the last call",
    "gradient": "with the same outputs, the way back is no mean or sum over rows: a hook or an "
    "autograd function that changes gradients by what it sees of the batch, or a gradient that is "
    "changed in place before the backward pass has ended",
    "weight": "with the same gradients, the optimizer's step differs: it draws random numbers, or "
    "keeps something that depends on the rank",
}


@dataclass(frozen=True)
class Difference:
    """The first thing that differs.

    Attributes
    ----------
    step : int
    what : str
        In a person's words.
    largest, scale : float
        The largest difference, and the largest value.
    cause : str
        What it is likely to come from.
    """

    step: int
    what: str
    largest: float
    scale: float
    cause: str

    def __str__(self) -> str:
        size = f", by {self.largest:.2g} where values reach {self.scale:.2g}" if self.scale else ""
        return f"the first difference, in step {self.step}: {self.what}{size}\nlikely: {self.cause}"


def first_difference(one: Sequence[Event], several: Sequence[Event]) -> Difference | None:
    """Return the first difference between two records, None where they are alike.

    Weights whose gradient was rounding alone are left out from then on.
    """
    left_out = _of_noise(one)
    for mine, other in zip(one, several, strict=False):
        if mine[:3] != other[:3] or mine.values.shape != other.values.shape:
            what = f"{_told(mine)} on one rank, {_told(other)} on several"
            return Difference(mine.step, what, 0.0, 0.0, _CAUSES["path"])
        largest = largest_difference(mine, other)
        scale = float(mine.values.abs().nan_to_num().max())
        if mine.name not in left_out and _far(mine, other):
            return Difference(mine.step, _told(mine), largest, scale, _CAUSES[mine.kind])
    if len(one) != len(several):
        step = max(one[-1].step if one else 1, several[-1].step if several else 1)
        return Difference(step, "one of them ends earlier", 0.0, 0.0, _CAUSES["path"])
    return None


def _of_noise(events: Sequence[Event]) -> set[str]:
    """Return the names of weights whose gradients are rounding, in some step."""
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


def _far(one: Event, other: Event) -> bool:
    limit = _RELATIVE * one.values.nan_to_num().norm() + _ABSOLUTE * len(one.values) ** 0.5
    return not bool(_differences(one, other).norm() <= limit)


def largest_difference(one: Event, other: Event) -> float:
    """Return the largest difference of values; two that are not a number are alike."""
    return float(_differences(one, other).nan_to_num(torch.inf).max())


def _differences(one: Event, other: Event) -> torch.Tensor:
    same = (one.values == other.values) | (one.values.isnan() & other.values.isnan())
    return torch.where(same, 0.0, (one.values - other.values).abs())


def _told(event: Event) -> str:
    return (
        f"the {event.kind} {event.name}"
        if event.kind in ("gradient", "weight")
        else (f"an {event.kind} of {event.name}")
    )
