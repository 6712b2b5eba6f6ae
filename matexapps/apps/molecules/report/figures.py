"""Pictures of predictions; each takes matplotlib axes and returns them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from matexapps.apps.molecules.data.targets import Target
from matexapps.apps.molecules.tasks.estimates import Estimates, Values, conformal_factor, coverage
from matexapps.experiment import figures
from matexapps.experiment.statistics.figures_of_merit import figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GROUP = 4


def plot_parity(
    axes: Axes, values: Values, estimates: Estimates, factor: Values, target: Target, index: int = 0
) -> Axes:
    """Draw predictions against measured values, with their intervals as bars.

    Parameters
    ----------
    axes : matplotlib axes
    values : ndarray, shape (molecules, targets)
    estimates : Estimates
        Of these molecules.
    factor : ndarray, shape (targets,)
        Half-width of intervals in units of the deviation.
    target : Target
    index : int
        Of the target.
    """
    known = np.isfinite(values[:, index])
    measured, predicted = values[known, index], estimates.mean[known, index]
    reach = factor[index] * estimates.deviation[known, index]
    figures.plot_parity(axes, measured, predicted, str(target), reach)
    error = figure("rmse", measured, predicted)
    axes.set(title=f"RMSE {error} {target.unit}".rstrip(), aspect="equal")
    return axes


def plot_calibration(
    axes: Axes,
    validation: tuple[Estimates, Values],
    test: tuple[Estimates, Values],
    index: int = 0,
) -> Axes:
    """Draw the share of test values in the intervals against their nominal coverage.

    Parameters
    ----------
    axes : matplotlib axes
    validation, test : tuple of Estimates and ndarray
        Estimates and values of the molecules that calibrate, and of those that test.
    index : int
        Of the target.
    """
    levels = np.linspace(0.05, 0.95, 19)
    covered = [
        coverage(test[0], conformal_factor(*validation, level), test[1])[index] for level in levels
    ]
    axes.plot(levels, covered, marker="o", ms=3, label="test molecules")
    axes.plot([0, 1], [0, 1], color="gray", linestyle=":", label="ideal")
    axes.set(
        xlabel="nominal coverage",
        ylabel="share of test values covered",
        xlim=(0, 1),
        ylim=(0, 1),
        aspect="equal",
    )
    axes.legend(loc="upper left")
    return axes


def plot_domain(
    axes: Axes, similarity: ArrayLike, error: ArrayLike, target: Target, bins: int = 5
) -> Axes:
    """Draw absolute errors against the similarity to the nearest training molecule.

    Parameters
    ----------
    axes : matplotlib axes
    similarity, error : array-like, shape (molecules,)
        NaN where the error is not known.
    target : Target
    bins : int
        Number of groups of equal size, whose RMSE is drawn as a line; fewer where a group would
        have less than four molecules.
    """
    known = np.isfinite(np.asarray(error, float))
    near: NDArray[np.float64] = np.asarray(similarity, float)[known]
    errors: NDArray[np.float64] = np.abs(np.asarray(error, float)[known])
    axes.scatter(near, errors, s=8, alpha=0.5, label="molecule")
    bins = min(bins, len(near) // _GROUP)
    if bins:
        groups = np.array_split(np.argsort(near, kind="stable"), bins)
        axes.plot(
            [near[group].mean() for group in groups],
            [np.sqrt((errors[group] ** 2).mean()) for group in groups],
            color="tab:red",
            marker="s",
            label=f"RMSE of {bins} groups",
        )
    unit = f" ({target.unit})" if target.unit else ""
    axes.set(
        xlabel="similarity to the nearest training molecule",
        ylabel=f"absolute error of {target.name}{unit}",
        xlim=(0, 1.02),
        ylim=(0, None),
    )
    axes.legend(loc="upper right")
    return axes
