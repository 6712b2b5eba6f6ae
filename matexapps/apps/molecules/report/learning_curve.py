"""The picture of how errors fall with the number of molecules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator, NullFormatter, NullLocator, ScalarFormatter

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from matexapps.apps.molecules.study import Study


def plot_learning_curve(axes: Axes, study: Study, place: int = 0) -> Axes:
    """Draw each model's test score against the number of molecules it has learned from.

    Both axes are logarithmic where the score is an error, because errors tend to fall by powers of
    the number of molecules. Bars are 95 % intervals.

    Parameters
    ----------
    axes : matplotlib axes
    study : Study
        With ``learning_curve`` among its settings.
    place : int
        The target's place.
    """
    task, target = study.task, study.molecules.targets[place]
    points = study.curve_figures(place)
    sizes = [size for size, _ in points]
    for name in ("network", *points[0][1]["baselines"]):
        found = [one if name == "network" else one["baselines"][name] for _, one in points]
        score = np.array([one[task.score] for one in found], float)
        low, high = np.array([one[f"{task.score}_interval"] for one in found], float).T
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
