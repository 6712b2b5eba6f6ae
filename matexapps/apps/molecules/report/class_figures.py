"""Figures of probabilities of two classes; each takes matplotlib axes and returns them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import precision_recall_curve, roc_curve

from matexapps.apps.molecules.tasks.resampling import known_pairs
from matexapps.apps.molecules.tasks.scores import reliability, score

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_roc(axes: Axes, value: ArrayLike, models: Mapping[str, ArrayLike]) -> Axes:
    """Draw the ROC curve of each model, with its area and 95 % interval.

    Parameters
    ----------
    axes : matplotlib axes
    value : array-like, shape (molecules,)
        0 or 1; NaN is missing.
    models : mapping of str to array-like, shape (molecules,)
        Probabilities of class 1, by name.
    """
    for name, probability in models.items():
        known, (predicted,) = known_pairs(value, probability)
        false, true, _ = roc_curve(known, predicted)
        axes.plot(false, true, label=f"{name}: {score('roc_auc', value, probability)}")
    axes.plot([0, 1], [0, 1], color="gray", linestyle=":", label="by chance")
    axes.set(xlabel="false positive rate", ylabel="true positive rate", aspect="equal")
    _legend_below(axes, "area (95 %)")
    return axes


def plot_precision(axes: Axes, value: ArrayLike, models: Mapping[str, ArrayLike]) -> Axes:
    """Draw precision against recall of each model, with average precision and 95 % interval.

    Parameters are those of :func:`plot_roc`.
    """
    for name, probability in models.items():
        known, (predicted,) = known_pairs(value, probability)
        precision, recall, _ = precision_recall_curve(known, predicted)
        label = f"{name}: {score('average_precision', value, probability)}"
        axes.step(recall, precision, where="post", label=label)
    axes.axhline(
        float(np.nanmean(np.asarray(value, float))), color="gray", linestyle=":", label="by chance"
    )
    axes.set(xlabel="recall", ylabel="precision", ylim=(0, 1.02))
    _legend_below(axes, "average precision (95 %)")
    return axes


def plot_reliability(axes: Axes, value: ArrayLike, models: Mapping[str, ArrayLike]) -> Axes:
    """Draw the share of molecules of class 1 against the predicted probability.

    Parameters are those of :func:`plot_roc`.
    """
    for name, probability in models.items():
        predicted, true, count = reliability(value, probability)
        error = np.sqrt(true * (1 - true) / count)
        label = f"{name}: {score('brier', value, probability)}"
        axes.errorbar(predicted, true, error, marker="o", ms=4, capsize=2, label=label)
    axes.plot([0, 1], [0, 1], color="gray", linestyle=":", label="ideal")
    axes.set(
        xlabel="predicted probability",
        ylabel="share of class 1",
        xlim=(0, 1),
        ylim=(0, 1),
        aspect="equal",
    )
    _legend_below(axes, "Brier score (95 %)")
    return axes


def _legend_below(axes: Axes, title: str) -> None:
    """Put the legend below the axes, because its entries are long and curves may be anywhere."""
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), title=title)
