"""Curves as a picture, drawn in a thread: the call does not wait for it, and Stop spares it."""

from __future__ import annotations

import base64
import io
import math
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from matexapps.cluster.output.display import MimeBundle
from matexapps.cluster.view.curves import Chart, TrainingCurves

_INTERVAL_S = 1.0
_MAX_TIME_SHARE = 0.1
_WIDTH, _ROW_HEIGHT = 660, 220
_CHARTS_PER_ROW = 3
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
        # The first drawing also imports matplotlib. An interrupted import may stay broken, and
        # interrupts only reach the main thread.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="matexapps-curves")
        self._drawing: Future[tuple[MimeBundle, float]] | None = None
        self._drawn: tuple[Chart, ...] = ()
        self._started_at = -math.inf
        self._pause_s = _INTERVAL_S
        self._bundle: MimeBundle | None = None

    def newest(self, curves: TrainingCurves) -> MimeBundle | None:
        """Return the newest finished picture, and start another if it is due and would differ."""
        if self._drawing is not None and self._drawing.done():
            self._take()
        now = time.monotonic()
        if self._drawing is None and now - self._started_at >= self._pause_s:
            self._started_at = now
            self._start(curves)
        return self._bundle

    def last(self, curves: TrainingCurves) -> MimeBundle | None:
        """Return the picture of the final curves; nothing is drawn after it."""
        if self._drawing is not None:
            self._take()
        self._start(curves)
        if self._drawing is not None:
            self._take()
        self._thread.shutdown(wait=False)
        return self._bundle

    def _start(self, curves: TrainingCurves) -> None:
        charts = curves.charts()
        if charts != self._drawn:
            self._drawn = charts
            self._drawing = self._thread.submit(_timed_bundle, charts, curves.text())

    def _take(self) -> None:
        assert self._drawing is not None
        self._bundle, took_s = self._drawing.result()
        self._drawing = None
        self._pause_s = max(_INTERVAL_S, took_s / _MAX_TIME_SHARE)


def _timed_bundle(charts: tuple[Chart, ...], text: str) -> tuple[MimeBundle, float]:
    import matplotlib.figure  # noqa: F401  # not timed, since only the first drawing imports it

    start = time.thread_time()
    return _bundle(charts, text), time.thread_time() - start


def _bundle(charts: tuple[Chart, ...], text: str) -> MimeBundle:
    try:
        png = picture(charts)
    except Exception as error:
        # Unusual matplotlib settings of the user must not end a training.
        return {"text/plain": f"{text}\n(no picture: {type(error).__name__}: {error})"}, {}
    size = {"width": _WIDTH, "height": _height(charts)}
    encoded = base64.b64encode(png).decode("ascii")
    return {"image/png": encoded, "text/plain": text}, {"image/png": size}


def _height(charts: tuple[Chart, ...]) -> int:
    return _ROW_HEIGHT * math.ceil(len(charts) / _CHARTS_PER_ROW)


def picture(charts: tuple[Chart, ...]) -> bytes:
    """Return the charts side by side as PNG, with two pixels for each pixel of the page.

    pyplot is not touched, and the colors do not depend on the user's style.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyBboxPatch
    from matplotlib.ticker import MaxNLocator
    from matplotlib.transforms import Affine2D

    width, height = _WIDTH, _height(charts)
    # At 72 dots per inch, a point is a pixel of the page.
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
    epochs = [epoch for chart in charts for line in chart.lines for epoch, _ in line.points]
    first, last = math.floor(min(epochs)), max(epochs)
    columns = min(len(charts), _CHARTS_PER_ROW)
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
    # Labels stand where the curve is not: a loss falls, a metric usually rises.
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
        title = f"best {chart.best[1]:.4g} at epoch {chart.best[0]:.4g}"
        axes.set_title(title, loc="right", fontsize=10, color=_TEXT, pad=7)
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
