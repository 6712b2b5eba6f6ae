"""The figure beside a model: every target on every split."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from matexapps.apps.molecules.data.targets import Target
from matexapps.apps.molecules.report.class_figures import plot_roc
from matexapps.apps.molecules.report.figures import plot_learning, plot_parity
from matexapps.apps.molecules.report.learning_curve import plot_learning_curve
from matexapps.apps.molecules.results import SplitResult
from matexapps.apps.molecules.tasks.estimates import Values
from matexapps.errors import DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from matexapps.apps.molecules.study import Study

PICTURE = "report.png"

_SIDE = 4.5
_MOST_TARGETS = 12


def write_picture(folder: str | Path, study: Study) -> None:
    """Draw the experiment into ``report.png`` in a folder.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    try:
        draw_study(study).savefig(Path(folder) / PICTURE, dpi=100)
    except OSError as error:
        raise DataError(f"cannot write the figure into {folder}: {error}") from error


def draw_study(study: Study) -> Figure:
    """Return a figure with a row for each target that has test values, at most twelve.

    For each split it shows the first training on the test molecules: predictions against measured
    values, or ROC curves. Then, in the first row, the validation error at each epoch, and the
    learning curve, if there is one.
    """
    drawn = [
        index
        for index in range(len(study.molecules.targets))
        if all(_has_test_values(study, result, index) for result in study.splits)
    ][:_MOST_TARGETS]
    columns = len(study.splits) + 1 + bool(study.curve)
    rows = max(1, len(drawn))
    figure = Figure(figsize=(_SIDE * columns, _SIDE * rows), layout="constrained")
    table = figure.subplots(rows, columns, squeeze=False)
    for index, row in zip(drawn, table, strict=False):
        for result, axes in zip(study.splits, row, strict=False):
            values = study.molecules.values[result.split.test]
            _DRAW[study.task.name](axes, values, result, study.molecules.targets[index], index)
            axes.set_title(f"{result.kind} split\n{axes.get_title()}".rstrip())
        if study.curve:
            plot_learning_curve(row[-1], study, index)
    history, *below = table[:, len(study.splits)]
    plot_learning(history, study.splits[0].trainings[0].history)
    history.set_title(f"{study.splits[0].kind} split\nall targets")
    for empty in below:
        empty.set_axis_off()
    return figure


def _has_test_values(study: Study, result: SplitResult, index: int) -> bool:
    """Return whether test values are known, and of both classes where targets are classes."""
    values = study.molecules.values[result.split.test, index]
    kinds = np.unique(values[np.isfinite(values)])
    return len(kinds) > (study.task.name == "classification")


def _parity(axes: Axes, values: Values, result: SplitResult, target: Target, index: int) -> None:
    first = result.trainings[0]
    plot_parity(axes, values, first.test, first.calibration, target, index)


def _roc(axes: Axes, values: Values, result: SplitResult, target: Target, index: int) -> None:
    models = {"network": result.trainings[0].test.mean, **result.baselines}
    plot_roc(
        axes,
        values[:, index],
        {name.replace("_", " "): predicted[:, index] for name, predicted in models.items()},
    )
    axes.set_title(str(target))


_DRAW: dict[str, Callable[[Axes, Values, SplitResult, Target, int], None]] = {
    "regression": _parity,
    "classification": _roc,
}
