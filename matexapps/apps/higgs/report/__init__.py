"""What a classifier's scores are worth: curves, significance, importance, pictures."""

from matexapps.apps.higgs.report.curves import background_rejection, roc_table, score_histogram
from matexapps.apps.higgs.report.figures import (
    plot_column,
    plot_importance,
    plot_rejection,
    plot_scores,
    plot_significance,
)
from matexapps.apps.higgs.report.importance import permutation_importance
from matexapps.apps.higgs.report.significance import (
    Yields,
    approximate_median_significance,
    best_threshold,
    scan_thresholds,
    significance_at,
)

__all__ = [
    "Yields",
    "approximate_median_significance",
    "background_rejection",
    "best_threshold",
    "permutation_importance",
    "plot_column",
    "plot_importance",
    "plot_rejection",
    "plot_scores",
    "plot_significance",
    "roc_table",
    "scan_thresholds",
    "score_histogram",
    "significance_at",
]
