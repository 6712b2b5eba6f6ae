"""The learning curve: figures against the number of training molecules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import MaxNLocator, NullFormatter, NullLocator, ScalarFormatter

from matexapps.apps.molecules.tasks.registry import TASKS
from matexapps.apps.molecules.tasks.task import MoleculeTask
from matexapps.experiment.results import SplitResult, Study
from matexapps.experiment.statistics.figures_of_merit import FIGURES

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def curve_results(results: Sequence[SplitResult]) -> list[SplitResult]:
    """Return the points of the learning curve, the fewest molecules first; none without one.

    The last is that of the chosen split.
    """
    smaller = [result for result in results if result.split.part_of is not None]
    return [*smaller, results[0]] if smaller else []


def curve_summary(results: Sequence[SplitResult]) -> dict[str, list[dict[str, Any]]]:
    """Return, for each target with test values, the main figures of each point."""
    curves: dict[str, list[dict[str, Any]]] = {}
    for result in curve_results(results):
        assert isinstance(result.task, MoleculeTask)
        leading = result.task.single.merits[0]
        for name, figures in result.summary()["targets"].items():
            curves.setdefault(name, []).append(
                {
                    "molecules": len(result.split.train),
                    leading: figures[leading],
                    f"{leading}_interval": figures[f"{leading}_interval"],
                    "baselines": {
                        model: {key: other[key] for key in (leading, f"{leading}_interval")}
                        for model, other in figures["baselines"].items()
                    },
                }
            )
    return curves


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
    target, task = study.prepared.molecules.targets[index], TASKS[study.summary()["task"]]
    leading = task.single.merits[0]
    points = study.summary()["learning_curve"][target.name]
    sizes = [point["molecules"] for point in points]
    for name in ("network", *points[0]["baselines"]):
        figures = [point if name == "network" else point["baselines"][name] for point in points]
        score = np.array([item[leading] for item in figures], float)
        low, high = np.array([item[f"{leading}_interval"] for item in figures], float).T
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
    if FIGURES[leading].lower_is_better:
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
        ylabel=f"test {FIGURES[leading].title} of {target.name}{unit}",
        title=f"{study.results[0].name} split",
    )
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), title="95 % intervals")
    return axes
