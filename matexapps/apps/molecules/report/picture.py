"""The figure beside a model: every target on every split."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from matexapps.apps.molecules.data.targets import Target
from matexapps.apps.molecules.report.figures import plot_parity
from matexapps.apps.molecules.report.learning_curve import plot_learning_curve
from matexapps.apps.molecules.tasks.task import column
from matexapps.experiment.figures import plot_history, plot_roc
from matexapps.experiment.results import SplitResult, Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIDE = 4.5
_MOST_TARGETS = 12


def draw_study(study: Study) -> Figure:
    """Return a figure with a row for each target that has test values, at most twelve.

    For each split it shows the first training on the test molecules: predictions against measured
    values, or ROC curves. Then, in the first row, the validation error at each epoch, and the
    learning curve, if there is one.
    """
    compared = [result for result in study.results if result.split.part_of is None]
    curve = len(compared) < len(study.results)
    drawn = [
        index
        for index in range(len(study.prepared.molecules.targets))
        if all(_has_test_values(study, result, index) for result in compared)
    ][:_MOST_TARGETS]
    columns = len(compared) + 1 + curve
    rows = max(1, len(drawn))
    figure = Figure(figsize=(_SIDE * columns, _SIDE * rows), layout="constrained")
    table = figure.subplots(rows, columns, squeeze=False)
    for index, row in zip(drawn, table, strict=False):
        for result, axes in zip(compared, row, strict=False):
            _draw(axes, result, study.prepared.molecules.targets[index], index)
        if curve:
            plot_learning_curve(row[-1], study, index)
    history, *below = table[:, len(compared)]
    plot_history(history, study.results[0].trainings[0].history)
    history.set_title(f"{study.results[0].name} split\nall targets")
    for empty in below:
        empty.set_axis_off()
    return figure


def _has_test_values(study: Study, result: SplitResult, index: int) -> bool:
    """Return whether test values are known, and of both classes where targets are classes."""
    values = result.test.values[:, index]
    kinds = np.unique(values[np.isfinite(values)])
    return len(kinds) > (study.summary()["task"] == "classification")


def _draw(axes: Axes, result: SplitResult, target: Target, index: int) -> None:
    """Draw parity, or ROC curves where targets are classes."""
    if target.classes is None:
        first = result.trainings[0]
        plot_parity(axes, result.test.values, first.test, first.calibration, target, index)
    else:
        test = column(result.test, index)
        plot_roc(axes, test.values, test.models)
        axes.set_title(str(target))
    axes.set_title(f"{result.name} split\n{axes.get_title()}".rstrip())
