"""Curves as a picture, drawn in a thread so that neither waiting nor an interrupt meets it."""

from __future__ import annotations

import base64
import io
import math
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from matexapps.cluster.view.curves import Chart, TrainingCurves
from matexapps.cluster.view.slots import Bundle

_EVERY_S = 1.0
_DRAWING_SHARE = 0.1
_WIDTH, _ROW_HEIGHT = 660, 220
_IN_A_ROW = 3
_TEXT, _FRAME, _GRID = "#4a4a4a", "#c4c4c4", "#ececec"
_STYLES: dict[str, dict[str, Any]] = {
    "batch": {"color": "#93b4d6", "linewidth": 1.2, "zorder": 2},
    "training": {"color": "#2f6aa8", "linewidth": 1.6, "zorder": 3},
    "validation": {"color": "#d97b29", "linewidth": 1.6, "zorder": 4},
    "metric": {"color": "#2e8b6a", "linewidth": 1.6, "zorder": 3},
}
_MARK = "#c62828"
_FEW_POINTS = 30
_LOGARITHMIC_FROM = 50.0


class CurvePicture:
    """The newest picture of growing curves, at most one drawing a second."""

    def __init__(self) -> None:
        # The first drawing also imports matplotlib; an import that an interrupt cuts off may stay
        # broken, and interrupts reach the main thread alone.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="matexapps-curves")
        self._drawing: Future[tuple[Bundle, float]] | None = None
        self._drawn: tuple[Chart, ...] = ()
        self._began_at = -math.inf
        self._pause_s = _EVERY_S
        self._bundle: Bundle | None = None

    def newest(self, curves: TrainingCurves) -> Bundle | None:
        """Return the newest finished picture, and begin another if it is time and worth it."""
        if self._drawing is not None and self._drawing.done():
            self._take()
        now = time.monotonic()
        if self._drawing is None and now - self._began_at >= self._pause_s:
            self._began_at = now
            self._begin(curves)
        return self._bundle

    def last(self, curves: TrainingCurves) -> Bundle | None:
        """Return the picture of how the curves ended; nothing is drawn after it."""
        if self._drawing is not None:
            self._take()
        self._begin(curves)
        if self._drawing is not None:
            self._take()
        self._thread.shutdown(wait=False)
        return self._bundle

    def _begin(self, curves: TrainingCurves) -> None:
        charts = curves.charts()
        if charts != self._drawn:
            self._drawn = charts
            self._drawing = self._thread.submit(_timed_bundle, charts, curves.text())

    def _take(self) -> None:
        assert self._drawing is not None
        self._bundle, took_s = self._drawing.result()
        self._drawing = None
        self._pause_s = max(_EVERY_S, took_s / _DRAWING_SHARE)


def _timed_bundle(charts: tuple[Chart, ...], text: str) -> tuple[Bundle, float]:
    import matplotlib.figure  # noqa: F401  # the first import is no measure of the next drawing

    began = time.thread_time()
    return _bundle(charts, text), time.thread_time() - began


def _bundle(charts: tuple[Chart, ...], text: str) -> Bundle:
    try:
        png = picture(charts)
    except Exception as error:
        # The user's matplotlib settings may be odd in ways that must not end a training.
        return {"text/plain": f"{text}\n(no picture: {type(error).__name__}: {error})"}, {}
    size = {"width": _WIDTH, "height": _height(charts)}
    encoded = base64.b64encode(png).decode("ascii")
    return {"image/png": encoded, "text/plain": text}, {"image/png": size}


def _height(charts: tuple[Chart, ...]) -> int:
    return _ROW_HEIGHT * math.ceil(len(charts) / _IN_A_ROW)


def picture(charts: tuple[Chart, ...]) -> bytes:
    """Return the charts side by side as PNG, in twice the pixels of its size on the page.

    Nothing of pyplot is touched, and colors do not follow the user's style.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyBboxPatch
    from matplotlib.ticker import MaxNLocator
    from matplotlib.transforms import Affine2D

    width, height = _WIDTH, _height(charts)
    # At 72 dots an inch a point is a pixel of the page.
    figure = Figure(figsize=(width / 72, height / 72), dpi=144)
    figure.patch.set_visible(False)
    round_corners = FancyBboxPatch(
        (0, 0),
        width,
        height,
        boxstyle="round,pad=0,rounding_size=6",
        transform=Affine2D().scale(1 / 72) + figure.dpi_scale_trans,
        facecolor="white",
        edgecolor="none",
        zorder=-1,
    )
    figure.add_artist(round_corners)
    reached = [epoch for chart in charts for line in chart.lines for epoch, _ in line.points]
    first, last = math.floor(min(reached)), max(reached)
    columns = min(len(charts), _IN_A_ROW)
    cell = width / columns
    for number, chart in enumerate(charts):
        row, column = divmod(number, columns)
        left, bottom = column * cell + 58, height - (row + 1) * _ROW_HEIGHT + 38
        box = (left / width, bottom / height, (cell - 74) / width, (_ROW_HEIGHT - 66) / height)
        axes = figure.add_axes(box)
        axes.set_xlim(first, first + 1.02 * (last - first) if last > first else first + 1)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=last - first >= 3, steps=[1, 2, 5, 10]))
        _draw(axes, chart)
    with io.BytesIO() as buffer:
        FigureCanvasAgg(figure).print_png(buffer)
        return buffer.getvalue()


def _draw(axes: Any, chart: Chart) -> None:
    values = [value for line in chart.lines for _, value in line.points if math.isfinite(value)]
    for line in chart.lines:
        dots = line.label != "batch" and len(line.points) <= _FEW_POINTS
        marker = {"marker": "o", "markersize": 3.0} if dots else {}
        axes.plot(
            *zip(*line.points, strict=True), label=line.label, **_STYLES[line.label], **marker
        )
    if values and min(values) > 0 and max(values) > _LOGARITHMIC_FROM * min(values):
        axes.set_yscale("log")
    # Beside where the curve is not: a loss falls, a metric most often rises.
    height, align = (0.0, "bottom") if chart.lines[0].label == "metric" else (1.0, "top")
    for mark in chart.marks:
        axes.axvline(mark.epoch, color=_MARK, linewidth=1.0, linestyle="--", zorder=1)
        axes.annotate(
            mark.label,
            (mark.epoch, height),
            xycoords=axes.get_xaxis_transform(),
            xytext=(3, 3 if align == "bottom" else -3),
            textcoords="offset points",
            rotation=90,
            va=align,
            fontsize=8,
            color=_MARK,
        )
    if chart.best is not None:
        color = _STYLES[chart.lines[-1].label]["color"]
        ring = {"markerfacecolor": "white", "markeredgecolor": color, "markeredgewidth": 1.6}
        axes.plot(
            *chart.best,
            marker="o",
            markersize=6.5,
            linestyle="none",
            clip_on=False,
            zorder=5,
            **ring,
        )
        words = f"best {chart.best[1]:.4g} at epoch {chart.best[0]:.4g}"
        axes.set_title(words, loc="right", fontsize=10, color=_TEXT, pad=7)
    axes.set_facecolor("white")
    axes.margins(y=0.08)
    axes.set_xlabel("epoch", fontsize=10, color=_TEXT, labelpad=3)
    axes.set_ylabel(chart.name.replace("_", " "), fontsize=10, color=_TEXT, labelpad=4)
    axes.tick_params(which="both", labelsize=9, colors=_TEXT, color=_FRAME, length=3)
    axes.grid(True, color=_GRID, linewidth=0.8, linestyle="-")
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set(visible=side in ("left", "bottom"), edgecolor=_FRAME, linewidth=0.8)
    if chart.lines[0].label != "metric":
        axes.legend(loc="best", fontsize=9, frameon=False, labelcolor=_TEXT, handlelength=1.4)
