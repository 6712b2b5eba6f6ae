"""Pictures of predictions; each takes matplotlib axes and returns them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter, NullLocator, ScalarFormatter
from numpy.typing import ArrayLike, NDArray

from matexapps.experiment.statistics.figures_of_merit import FIGURES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIDE = 4.5
_BINS = 10
_CURVE_POINTS = 400


def draw_study(study: Any) -> Figure:
    """Return a figure with a row for each split: two pictures of its task, and the training."""
    results = study.results
    figure = Figure(figsize=(3 * _SIDE, _SIDE * len(results)), layout="constrained")
    for axes, result in zip(figure.subplots(len(results), 3, squeeze=False), results, strict=True):
        result.task.draw(axes[:2], result.test)
        plot_history(axes[2], result.trainings[0].history)
        axes[0].set_title(f"{result.name} split, {len(result.split.test):,} test rows")
    figure.suptitle(f"{study.domain.name}: {study.settings.data}")
    return figure


def plot_roc(
    axes: Axes,
    values: ArrayLike,
    models: Mapping[str, ArrayLike],
    weight: ArrayLike | None = None,
) -> Axes:
    """Draw the ROC curve of each model, with its area in the legend."""
    from sklearn.metrics import roc_auc_score, roc_curve

    for name, score in models.items():
        false, true, _ = roc_curve(values, score, sample_weight=weight)
        points = np.linspace(0, len(false) - 1, min(len(false), _CURVE_POINTS)).astype(int)
        area = roc_auc_score(values, score, sample_weight=weight)
        axes.plot(false[points], true[points], label=f"{name.replace('_', ' ')}, {area:.3f}")
    axes.plot([0, 1], [0, 1], ":", color="gray")
    axes.set(xlabel="false positive rate", ylabel="true positive rate")
    axes.legend(title="area under the curve", loc="lower right", fontsize="small")
    return axes


def plot_precision(axes: Axes, values: ArrayLike, models: Mapping[str, ArrayLike]) -> Axes:
    """Draw precision against recall of each model, with average precision in the legend."""
    from sklearn.metrics import average_precision_score, precision_recall_curve

    for name, score in models.items():
        precision, recall, _ = precision_recall_curve(values, score)
        mean = average_precision_score(values, score)
        label = f"{name.replace('_', ' ')}, {mean:.3f}"
        axes.step(recall, precision, where="post", label=label)
    axes.axhline(float(np.asarray(values, float).mean()), ls=":", color="gray")
    axes.set(xlabel="recall", ylabel="precision", ylim=(0, 1.02))
    axes.legend(title="average precision", loc="lower left", fontsize="small")
    return axes


def plot_reliability(
    axes: Axes, values: ArrayLike, probability: ArrayLike, weight: ArrayLike | None = None
) -> Axes:
    """Draw how often what has a probability comes true, bin by bin."""
    predicted, observed, _ = reliability(values, probability, weight)
    axes.plot([0, 1], [0, 1], ":", color="gray")
    axes.plot(predicted, observed, marker="o")
    axes.set(xlabel="predicted probability", ylabel="observed share", xlim=(0, 1), ylim=(0, 1))
    return axes


def reliability(
    values: ArrayLike, probability: ArrayLike, weight: ArrayLike | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Return mean probability, observed share and number of rows, bin by bin.

    Ten bins of equal width; those without rows are left out.

    Parameters
    ----------
    values : array-like, shape (rows,)
        0 or 1.
    probability : array-like, shape (rows,)
    weight : array-like, shape (rows,), or None
        Of each row, in means and shares; rows of weight 0 are left out.
    """
    value, predicted = np.asarray(values, float), np.asarray(probability, float)
    weights = np.ones(len(value)) if weight is None else np.asarray(weight, float)
    number = np.minimum((predicted * _BINS).astype(int), _BINS - 1)
    total, count = np.bincount(number, weights, _BINS), np.bincount(number, weights > 0, _BINS)
    used = total > 0
    mean = np.bincount(number, weights * predicted, _BINS)[used] / total[used]
    observed = np.bincount(number, weights * value, _BINS)[used] / total[used]
    return mean, observed, count[used].astype(np.int64)


def plot_confusion(
    axes: Axes,
    values: ArrayLike,
    predicted: ArrayLike,
    classes: Sequence[str],
    weight: ArrayLike | None = None,
) -> Axes:
    """Draw how many rows of each class, or what weight of them, are predicted as each class."""
    count = np.zeros((len(classes), len(classes)))
    cells = np.asarray(values, int), np.asarray(predicted, int)
    np.add.at(count, cells, 1.0 if weight is None else np.asarray(weight, float))
    axes.imshow(count, cmap="Blues")
    for (row, column), number in np.ndenumerate(count):
        color = "white" if number > count.max() / 2 else "black"
        axes.text(column, row, f"{number:.6g}", ha="center", va="center", color=color)
    ticks = range(len(classes))
    axes.set_xticks(ticks, classes, rotation=45, ha="right")
    axes.set_yticks(ticks, classes)
    axes.set(xlabel="predicted class", ylabel="class")
    return axes


def plot_parity(
    axes: Axes,
    values: ArrayLike,
    predicted: ArrayLike,
    label: str,
    reach: ArrayLike | None = None,
) -> Axes:
    """Draw predictions against what was measured.

    Parameters
    ----------
    axes : matplotlib axes
    values, predicted : array-like, shape (rows,)
    label : str
        Name and unit of the value.
    reach : array-like, shape (rows,), or None
        Half the width of the interval about each prediction, drawn as a bar.
    """
    value, prediction = np.asarray(values, float), np.asarray(predicted, float)
    ends = [min(value.min(), prediction.min()), max(value.max(), prediction.max())]
    axes.plot(ends, ends, ":", color="gray")
    if reach is None:
        axes.scatter(value, prediction, s=8, alpha=0.5)
    else:
        axes.errorbar(value, prediction, np.asarray(reach), fmt="o", ms=3, lw=0.6, alpha=0.6)
    axes.set(xlabel=f"measured {label}", ylabel=f"predicted {label}")
    return axes


def plot_residuals(
    axes: Axes,
    values: ArrayLike,
    predicted: ArrayLike,
    label: str,
    weight: ArrayLike | None = None,
) -> Axes:
    """Draw how errors are distributed."""
    error = np.asarray(predicted, float) - np.asarray(values, float)
    axes.hist(error, bins=40, weights=None if weight is None else np.asarray(weight, float))
    axes.axvline(0, ls=":", color="gray")
    axes.set(xlabel=label, ylabel="rows")
    return axes


def plot_history(axes: Axes, history: Sequence[Mapping[str, Any]]) -> Axes:
    """Draw training and validation loss against the epoch."""
    epochs = [row["epoch"] for row in history]
    for column, label in (("loss", "training"), ("validation_loss", "validation")):
        if history and column in history[0]:
            axes.plot(epochs, [row[column] for row in history], marker=".", label=label)
    axes.set(xlabel="epoch", ylabel="mean loss per row")
    axes.legend()
    return axes


def plot_learning_curve(
    axes: Axes, sizes: Sequence[int], models: Mapping[str, Sequence[Mapping[str, Any]]], merit: str
) -> Axes:
    """Draw a figure of merit of each model against the number of training rows.

    Both axes are logarithmic where the figure is an error, because errors tend to follow power
    laws. Bars are 95 % intervals.

    Parameters
    ----------
    axes : matplotlib axes
    sizes : sequence of int
    models : mapping of str to sequence of dict
        The figures of each model, one dictionary for each size, as a task's ``report`` has them.
    merit : str
        Which of them.
    """
    for name, figures in models.items():
        score = np.array([each[merit] for each in figures], float)
        low, high = np.array([each[f"{merit}_interval"] for each in figures], float).T
        bars = [score - low, high - score]
        axes.errorbar(sizes, score, bars, marker="o", ms=4, capsize=3, label=name.replace("_", " "))
    axes.set_xscale("log")
    if FIGURES[merit].lower_is_better:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(MaxNLocator(6))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks(sizes)
    axes.set(xlabel="training rows", ylabel=f"test {FIGURES[merit].title}")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), title="95 % intervals")
    return axes
