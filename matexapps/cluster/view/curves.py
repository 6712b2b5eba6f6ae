"""Loss and metrics over epochs, in bounded memory however long the training."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

_MAX_POINTS = 500
_LOWER_IS_BETTER = {"loss", "error", "mse", "rmse", "mae", "deviation", "nll", "perplexity"}

Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """A line of a chart: its label (also the key of its style) and its points."""

    label: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Mark:
    """An event: its position on the epoch axis, its label, and when it happened, in words."""

    epoch: float
    label: str
    when: str


@dataclass(frozen=True)
class Chart:
    """Lines that share their axes: what they show, their best point, and events."""

    name: str
    lines: tuple[Line, ...]
    best: Point | None
    marks: tuple[Mark, ...] = ()


class Curve:
    """Points (epoch, value) in order; of many points, evenly spaced ones are kept.

    Parameters
    ----------
    lower_is_better : bool
        Whether the lowest value is the best, or the highest.
    """

    def __init__(self, lower_is_better: bool) -> None:
        self._sign = 1.0 if lower_is_better else -1.0
        self._points: list[Point] = []
        self._stride = 1
        self._count = 0
        self._best: Point | None = None
        # Apart from the others, because another value of the same epoch may replace it.
        self._latest: Point | None = None

    def add(self, epoch: float, value: float) -> None:
        """Add a point, or replace the latest one if it has the same epoch."""
        if self._latest is not None and self._latest[0] != epoch:
            self._best = self.best
            if self._count % self._stride == 0:
                self._points.append(self._latest)
            self._count += 1
            if len(self._points) >= _MAX_POINTS:
                self._points = self._points[::2]
                self._stride *= 2
        self._latest = (epoch, value)

    @property
    def points(self) -> tuple[Point, ...]:
        """At most 500 points, including the latest."""
        return (*self._points, self._latest) if self._latest is not None else ()

    @property
    def best(self) -> Point | None:
        """The best of all points ever added; None if none is finite."""
        candidates = [
            p for p in (self._best, self._latest) if p is not None and math.isfinite(p[1])
        ]
        return min(candidates, key=lambda point: self._sign * point[1], default=None)


class TrainingCurves:
    """Loss and metrics of the running training; another training starts them anew."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._epoch, self._steps = 0.0, 1
        self._batches, self._loss, self._validation = (Curve(True) for _ in range(3))
        self._metrics: dict[str, Curve] = {}
        self._marks: list[Mark] = []

    def mark(self, label: str) -> None:
        """Mark an event at the present epoch."""
        self._marks.append(Mark(self._epoch, label, f"after epoch {self._epoch:.4g}"))

    def mark_step(self, label: str, epoch: int, step: int) -> None:
        """Mark an event at the beginning of a step; epoch and step count from 1."""
        position = epoch - 1 + (step - 1) / self._steps
        self._marks.append(Mark(position, label, f"at epoch {epoch}, step {step}"))

    def add(self, event: dict[str, Any]) -> None:
        """Add an event of kind "train" (see :mod:`matexapps.train.monitor.throughput`)."""
        within = min(1.0, event["rows"] / event["rows_total"]) if event["rows_total"] else 0.0
        epoch = event["epoch"] - 1 + within
        if epoch < self._epoch:
            self._reset()
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
        """Return the charts to draw: the loss, then each metric; empty at the beginning."""
        losses = {
            "batch": self._batches,
            "training": self._loss,
            "validation": self._validation,
        }
        lines = tuple(Line(label, curve.points) for label, curve in losses.items() if curve.points)
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
        """Return each curve's latest and best value, and the events, in words."""
        marks = [f"{mark.label} {mark.when}" for mark in self._marks]
        return "\n".join([*(_describe(chart) for chart in self.charts()), *marks])


def _describe(chart: Chart) -> str:
    epoch, value = chart.lines[-1].points[-1]
    text = f"{chart.name} {value:.4g} at epoch {epoch:.4g}"
    if chart.best is not None:
        text += f", best {chart.best[1]:.4g} at epoch {chart.best[0]:.4g}"
    return text
