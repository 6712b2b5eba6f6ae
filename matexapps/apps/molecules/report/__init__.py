"""Pictures of predictions, drawings of molecules, and figures of merit with their intervals."""

from matexapps.apps.molecules.report.drawings import draw_contributions, draw_molecules
from matexapps.apps.molecules.report.figures import plot_calibration, plot_domain, plot_parity
from matexapps.apps.molecules.report.learning_curve import plot_learning_curve
from matexapps.experiment.figures import plot_history, plot_precision, plot_reliability, plot_roc
from matexapps.experiment.statistics.figures_of_merit import figure, gain, r_squared

__all__ = [
    "draw_contributions",
    "draw_molecules",
    "figure",
    "gain",
    "plot_calibration",
    "plot_domain",
    "plot_history",
    "plot_learning_curve",
    "plot_parity",
    "plot_precision",
    "plot_reliability",
    "plot_roc",
    "r_squared",
]
