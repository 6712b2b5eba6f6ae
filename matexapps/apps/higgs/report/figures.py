"""Pictures of the report's tables; each takes matplotlib axes and returns them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from matexapps.apps.higgs.report.curves import roc_table
from matexapps.apps.higgs.report.significance import Yields, scan_thresholds
from matexapps.apps.higgs.schema import unit
from matexapps.data.rows import Rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from matexapps.experiment.results import SplitResult

_LEAST_EFFICIENCY = 0.02
_SIDE = 4.5


def draw_study(data: str, yields: Yields, result: SplitResult, threshold: float) -> Figure:
    """Return ROC curves, background rejection, significance, and the course of the training.

    Parameters
    ----------
    data : str
        Where the events are from, for the title.
    yields : Yields
        Events expected in the full sample.
    result : SplitResult
        Its first training is drawn.
    threshold : float
        The cut that validation rows have chosen for it.
    """
    from matplotlib.figure import Figure

    from matexapps.experiment.figures import plot_history, plot_roc

    figure = Figure(figsize=(4 * _SIDE, _SIDE), layout="constrained")
    axes = figure.subplots(1, 4)
    label, weight, models = result.test.values, result.test.weight, result.test.models
    plot_roc(axes[0], label, models, weight)
    axes[0].set(xlabel="background efficiency", ylabel="signal efficiency")
    plot_rejection(axes[1], label, models, weight)
    scan = scan_thresholds(label, result.test.network[0], weight, yields=yields)
    plot_significance(axes[2], scan, threshold, label="network, test rows")
    plot_history(axes[3], result.trainings[0].history)
    figure.suptitle(f"higgs: {data}, {result.name} split, {len(label):,} test rows")
    return figure


def plot_column(axes: Axes, rows: Rows, column: str, *, bins: int = 60) -> Axes:
    """Draw a column of physical rows, signal and background each with an area of 1.

    The rarest one percent at either end is left out of the picture.
    """
    values = rows.features[:, rows.columns.index(column)]
    low, high = np.nanquantile(values, [0.01, 0.99])
    edges = np.linspace(low, high, bins + 1)
    for name, label, color in (("signal", 1, "tab:blue"), ("background", 0, "tab:orange")):
        chosen = rows.label == label
        density, _ = np.histogram(
            values[chosen],
            edges,
            density=True,
            weights=None if rows.weight is None else rows.weight[chosen],
        )
        axes.stairs(density, edges, fill=True, alpha=0.35, color=color, label=name)
    measured_in = unit(column)
    axes.set(
        xlabel=f"{column} ({measured_in})" if measured_in else column,
        ylabel=f"rows per {measured_in or 'unit'} (area 1)",
    )
    axes.legend()
    return axes


def plot_rejection(
    axes: Axes, label: ArrayLike, scores: Mapping[str, ArrayLike], weight: ArrayLike | None = None
) -> Axes:
    """Draw one over the background efficiency against the signal efficiency of each model."""
    for name, score in scores.items():
        table = roc_table(label, score, weight)
        shown = (table["background_efficiency"] > 0) & (
            table["signal_efficiency"] >= _LEAST_EFFICIENCY
        )
        axes.plot(
            table.loc[shown, "signal_efficiency"],
            1 / table.loc[shown, "background_efficiency"],
            label=name,
        )
    axes.set(
        xlabel="signal efficiency",
        ylabel="background rejection (1 / background efficiency)",
        yscale="log",
        xlim=(0, 1),
    )
    axes.grid(alpha=0.3)
    axes.legend(loc="upper right")
    return axes


def plot_scores(axes: Axes, histogram: pd.DataFrame) -> Axes:
    """Draw what :func:`~matexapps.apps.higgs.report.curves.score_histogram` returns."""
    edges = np.append(histogram["low"], histogram["high"].iloc[-1])
    middle = (histogram["low"] + histogram["high"]) / 2
    for name, color in (("signal", "tab:blue"), ("background", "tab:orange")):
        axes.stairs(histogram[name], edges, fill=True, alpha=0.35, color=color, label=name)
        axes.errorbar(
            middle, histogram[name], histogram[f"{name}_error"], fmt="none", color=color, lw=1
        )
    axes.set(xlabel="score of the classifier", ylabel="rows per unit of score (area 1)")
    axes.legend()
    return axes


def plot_significance(
    axes: Axes, scan: pd.DataFrame, threshold: float | None = None, *, label: str | None = None
) -> Axes:
    """Draw the significance against the signal efficiency of the cut.

    Parameters
    ----------
    axes : matplotlib axes
    scan : DataFrame
        From :func:`~matexapps.apps.higgs.report.significance.scan_thresholds`.
    threshold : float, optional
        A chosen threshold, to be marked.
    label : str, optional
        Name of the curve in the legend.
    """
    efficiency = scan["signal"] / scan["signal"].iloc[-1]
    (line,) = axes.plot(efficiency, scan["ams"], label=label)
    if threshold is not None:
        at = float(efficiency[scan["threshold"] >= threshold].iloc[-1])
        axes.axvline(at, color=line.get_color(), linestyle=":", label="chosen on validation rows")
    axes.set(
        xlabel="signal efficiency of the cut",
        ylabel="significance AMS (standard deviations)",
        xlim=(0, 1),
    )
    if label is not None or threshold is not None:
        axes.legend()
    return axes


def plot_importance(axes: Axes, importance: pd.DataFrame, most: int = 15) -> Axes:
    """Draw the fall of the AUC for the most important columns, with its deviation."""
    shown = importance.head(most).iloc[::-1]
    axes.barh(shown["column"], shown["auc_drop"], xerr=shown["deviation"], color="tab:blue")
    axes.set(xlabel="fall of the test AUC when the column is shuffled", ylabel="column")
    return axes
