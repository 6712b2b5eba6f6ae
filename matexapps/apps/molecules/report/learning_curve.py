"""The learning curve: scores against the number of training molecules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator, NullFormatter, NullLocator, ScalarFormatter

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from matexapps.apps.molecules.study import Study


def plot_learning_curve(axes: Axes, study: Study, index: int = 0) -> Axes:
    """Draw the test score of each model against the number of training molecules.

    Both axes are logarithmic where the score is an error, because errors tend to follow power
    laws. Bars are 95 % intervals.

    Parameters
    ----------
    axes : matplotlib axes
    study : Study
        With ``learning_curve`` among its settings.
    index : int
        Of the target.
    """
    task, target = study.task, study.molecules.targets[index]
    points = study.curve_figures(index)
    sizes = [size for size, _ in points]
    for name in ("network", *points[0][1]["baselines"]):
        figures = [item if name == "network" else item["baselines"][name] for _, item in points]
        score = np.array([item[task.score] for item in figures], float)
        low, high = np.array([item[f"{task.score}_interval"] for item in figures], float).T
        axes.errorbar(
            sizes,
            score,
            [score - low, high - score],
            marker="o",
            ms=4,
            capsize=3,
            label=name.replace("_", " "),
        )
    axes.set_xscale("log")
    if task.score_is_error:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(MaxNLocator(6))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks(sizes)
    unit = f" ({target.unit})" if target.unit else ""
    axes.set(
        xlabel="training molecules",
        ylabel=f"test {task.score_name} of {target.name}{unit}",
        title=f"{study.splits[0].kind} split",
    )
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), title="95 % intervals")
    return axes
