"""Loss and metrics over epochs, kept small however long the training."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

_MOST_POINTS = 500
_LOWER_IS_BETTER = {"loss", "error", "mse", "rmse", "mae", "deviation", "nll", "perplexity"}

Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """One line of a chart: what it shows (also the key of its style) and its points."""

    label: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Mark:
    """Something that happened: its place on the epoch axis, what it was, and where, in words."""

    epoch: float
    label: str
    where: str


@dataclass(frozen=True)
class Chart:
    """Lines that share their axes, what they show, their best point, and what happened."""

    name: str
    lines: tuple[Line, ...]
    best: Point | None
    marks: tuple[Mark, ...] = ()


class Curve:
    """Points (epoch, value) in order; where there are many, evenly spaced ones stay.

    Parameters
    ----------
    lower_is_better : bool
        Which value is the best.
    """

    def __init__(self, lower_is_better: bool) -> None:
        self._sign = 1.0 if lower_is_better else -1.0
        self._kept: list[Point] = []
        self._every = 1
        self._count = 0
        self._best: Point | None = None
        # Apart from the others, for another value of the same epoch may replace it.
        self._latest: Point | None = None

    def add(self, epoch: float, value: float) -> None:
        """Add a point, or replace the latest if it belongs to the same place."""
        if self._latest is not None and self._latest[0] != epoch:
            self._best = self.best
            if self._count % self._every == 0:
                self._kept.append(self._latest)
            self._count += 1
            if len(self._kept) >= _MOST_POINTS:
                self._kept = self._kept[::2]
                self._every *= 2
        self._latest = (epoch, value)

    @property
    def points(self) -> tuple[Point, ...]:
        """At most 500 points, the latest among them."""
        return (*self._kept, self._latest) if self._latest is not None else ()

    @property
    def best(self) -> Point | None:
        """The best point of all that were ever added; None without a finite one."""
        known = [p for p in (self._best, self._latest) if p is not None and math.isfinite(p[1])]
        return min(known, key=lambda point: self._sign * point[1], default=None)


class TrainingCurves:
    """Loss and metrics of the training under way; another training begins them anew."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._epoch, self._steps = 0.0, 1
        self._batches, self._loss, self._validation = (Curve(True) for _ in range(3))
        self._metrics: dict[str, Curve] = {}
        self._marks: list[Mark] = []

    def mark(self, label: str) -> None:
        """Mark the place that training has reached."""
        self._marks.append(Mark(self._epoch, label, f"after epoch {self._epoch:.4g}"))

    def mark_step(self, label: str, epoch: int, step: int) -> None:
        """Mark where a step begins; epoch and step from 1."""
        place = epoch - 1 + (step - 1) / self._steps
        self._marks.append(Mark(place, label, f"at epoch {epoch}, step {step}"))

    def add(self, event: dict[str, Any]) -> None:
        """Take in an event of kind "train" (see :mod:`matexapps.train.monitor.throughput`)."""
        within = min(1.0, event["rows"] / event["rows_total"]) if event["rows_total"] else 0.0
        epoch = event["epoch"] - 1 + within
        if epoch < self._epoch:
            self._begin()
        self._epoch, self._steps = epoch, max(1, event["steps"])
        if event.get("loss") is not None:
            (self._loss if within == 1.0 else self._batches).add(epoch, event["loss"])
        metrics = event.get("metrics") or {}
        for name, value in metrics.items():
            if name == "validation_loss":
                self._validation.add(epoch, value)
            elif name.removesuffix("_error") == name or name.removesuffix("_error") not in metrics:
                lower = bool(_LOWER_IS_BETTER & set(name.lower().split("_")))
                self._metrics.setdefault(name, Curve(lower)).add(epoch, value)

    def charts(self) -> tuple[Chart, ...]:
        """Return what there is to draw: the loss, then each metric; empty at the beginning."""
        named = {
            "batch": self._batches,
            "training": self._loss,
            "validation": self._validation,
        }
        lines = tuple(Line(label, curve.points) for label, curve in named.items() if curve.points)
        if not lines:
            return ()
        best = self._validation.best or self._loss.best
        marks = tuple(self._marks)
        metrics = [
            Chart(name, (Line("metric", curve.points),), curve.best, marks)
            for name, curve in self._metrics.items()
        ]
        return (Chart("loss", lines, best, marks), *metrics)

    def text(self) -> str:
        """Return each curve's latest and best value, and what happened, in words."""
        marks = [f"{mark.label} {mark.where}" for mark in self._marks]
        return "\n".join([*(_in_words(chart) for chart in self.charts()), *marks])


def _in_words(chart: Chart) -> str:
    epoch, value = chart.lines[-1].points[-1]
    words = f"{chart.name} {value:.4g} at epoch {epoch:.4g}"
    if chart.best is not None:
        words += f", best {chart.best[1]:.4g} at epoch {chart.best[0]:.4g}"
    return words
