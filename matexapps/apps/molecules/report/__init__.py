"""Reports: errors and scores with intervals, figures, drawings."""

from matexapps.apps.molecules.report.class_figures import (
    plot_precision,
    plot_reliability,
    plot_roc,
)
from matexapps.apps.molecules.report.drawings import draw_contributions, draw_molecules
from matexapps.apps.molecules.report.figures import (
    plot_calibration,
    plot_domain,
    plot_learning,
    plot_parity,
)
from matexapps.apps.molecules.report.learning_curve import plot_learning_curve
from matexapps.apps.molecules.tasks.errors import (
    mean_absolute_error,
    r_squared,
    rmse,
    rmse_difference,
)
from matexapps.apps.molecules.tasks.scores import score, score_gain

__all__ = [
    "draw_contributions",
    "draw_molecules",
    "mean_absolute_error",
    "plot_calibration",
    "plot_domain",
    "plot_learning",
    "plot_learning_curve",
    "plot_parity",
    "plot_precision",
    "plot_reliability",
    "plot_roc",
    "r_squared",
    "rmse",
    "rmse_difference",
    "score",
    "score_gain",
]
