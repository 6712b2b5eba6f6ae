"""The picture that an experiment leaves beside its model: every target on every split."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from matexapps.apps.molecules.data.records import Target
from matexapps.apps.molecules.report.class_figures import plot_roc
from matexapps.apps.molecules.report.figures import plot_learning, plot_parity
from matexapps.apps.molecules.report.learning_curve import plot_learning_curve
from matexapps.apps.molecules.results import Judged
from matexapps.apps.molecules.tasks.estimates import Values
from matexapps.errors import DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from matexapps.apps.molecules.study import Study

PICTURE = "report.png"

_SIDE = 4.5
_MOST_TARGETS = 12


def write_picture(folder: str | Path, study: Study) -> None:
    """Draw the experiment into ``report.png`` of a folder.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    try:
        draw_study(study).savefig(Path(folder) / PICTURE, dpi=100)
    except OSError as error:
        raise DataError(f"cannot write the picture into {folder}: {error}") from error


def draw_study(study: Study) -> Figure:
    """Return a figure with a row for each target that has test values, the first twelve of them.

    Of each split the first training on its test molecules: predictions against measured values,
    or ROC curves. Then, in the first row, the validation error of all targets epoch by epoch, and,
    where there are smaller trainings, the learning curve.
    """
    drawn = [
        place
        for place in range(len(study.molecules.targets))
        if all(_judges(study, judged, place) for judged in study.splits)
    ][:_MOST_TARGETS]
    columns = len(study.splits) + 1 + bool(study.curve)
    rows = max(1, len(drawn))
    figure = Figure(figsize=(_SIDE * columns, _SIDE * rows), layout="constrained")
    table = figure.subplots(rows, columns, squeeze=False)
    for place, axes in zip(drawn, table, strict=False):
        for judged, one in zip(study.splits, axes, strict=False):
            values = study.molecules.values[judged.split.test]
            _DRAW[study.task.name](one, values, judged, study.molecules.targets[place], place)
            one.set_title(f"{judged.kind} split\n{one.get_title()}".rstrip())
        if study.curve:
            plot_learning_curve(axes[-1], study, place)
    history, *below = table[:, len(study.splits)]
    plot_learning(history, study.splits[0].trainings[0].history)
    history.set_title(f"{study.splits[0].kind} split\nall targets")
    for empty in below:
        empty.set_axis_off()
    return figure


def _judges(study: Study, judged: Judged, place: int) -> bool:
    """Return whether test values are known, and of both classes where targets are classes."""
    values = study.molecules.values[judged.split.test, place]
    kinds = np.unique(values[np.isfinite(values)])
    return len(kinds) > (study.task.name == "classification")


def _parity(axes: Axes, values: Values, judged: Judged, target: Target, place: int) -> None:
    first = judged.trainings[0]
    plot_parity(axes, values, first.test, first.calibration, target, place)


def _roc(axes: Axes, values: Values, judged: Judged, target: Target, place: int) -> None:
    models = {"network": judged.trainings[0].test.mean, **judged.baselines}
    plot_roc(
        axes,
        values[:, place],
        {name.replace("_", " "): found[:, place] for name, found in models.items()},
    )
    axes.set_title(str(target))


_DRAW: dict[str, Callable[[Axes, Values, Judged, Target, int], None]] = {
    "regression": _parity,
    "classification": _roc,
}
