"""The learning curve: figures against the number of training molecules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from matexapps.apps.molecules.tasks.registry import TASKS
from matexapps.apps.molecules.tasks.task import MoleculeTask
from matexapps.experiment import figures
from matexapps.experiment.results import SplitResult, Study

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
        merit = result.task.single.merits[0]
        names = merit, f"{merit}_interval"
        for target, of_target in result.summary()["targets"].items():
            point = {
                "molecules": len(result.split.train),
                **{name: of_target[name] for name in names},
                "baselines": {
                    model: {name: other[name] for name in names}
                    for model, other in of_target["baselines"].items()
                },
            }
            curves.setdefault(target, []).append(point)
    return curves


def plot_learning_curve(axes: Axes, study: Study, index: int = 0) -> Axes:
    """Draw the test score of each model against the number of training molecules.

    Parameters
    ----------
    axes : matplotlib axes
    study : Study
        With ``learning_curve`` among its settings.
    index : int
        Of the target.
    """
    target, task = study.prepared.molecules.targets[index], TASKS[study.summary()["task"]]
    points = study.summary()["learning_curve"][target.name]
    models = {"network": points}
    for name in points[0]["baselines"]:
        models[name] = [point["baselines"][name] for point in points]
    sizes = [point["molecules"] for point in points]
    figures.plot_learning_curve(axes, sizes, models, task.single.merits[0])
    unit = f" ({target.unit})" if target.unit else ""
    axes.set(
        xlabel="training molecules",
        ylabel=f"{axes.get_ylabel()} of {target.name}{unit}",
        title=f"{study.results[0].name} split",
    )
    return axes
