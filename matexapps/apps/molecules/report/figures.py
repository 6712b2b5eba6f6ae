"""Pictures of predictions; each takes matplotlib axes and returns them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from matexapps.apps.molecules.data.records import Target
from matexapps.apps.molecules.tasks.errors import rmse
from matexapps.apps.molecules.tasks.estimates import Estimates, Values, conformal_factor, coverage

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MONITORS = {
    "relative_rmse": "validation RMSE (spread of the training values)",
    "log_loss": "validation log loss (nats a molecule)",
}
_GROUP = 4


def plot_parity(
    axes: Axes, values: Values, estimates: Estimates, factor: Values, target: Target, place: int = 0
) -> Axes:
    """Draw predictions against measured values, with their intervals as error bars.

    Parameters
    ----------
    axes : matplotlib axes
    values : ndarray, shape (molecules, targets)
    estimates : Estimates
        Of these molecules.
    factor : ndarray, shape (targets,)
        Deviations that an interval reaches.
    target : Target
    place : int
        Its place among the targets.
    """
    known = np.isfinite(values[:, place])
    measured, predicted = values[known, place], estimates.mean[known, place]
    reach = factor[place] * estimates.deviation[known, place]
    axes.errorbar(
        measured, predicted, reach, fmt="o", ms=3, lw=0.6, alpha=0.6, label="90 % interval"
    )
    ends = [min(measured.min(), predicted.min()), max(measured.max(), predicted.max())]
    axes.plot(ends, ends, color="gray", linestyle=":", label="as measured")
    axes.set(
        xlabel=f"measured {target}",
        ylabel=f"predicted {target}",
        title=f"RMSE {rmse(measured, predicted)} {target.unit}".rstrip(),
        aspect="equal",
    )
    axes.legend(loc="upper left")
    return axes


def plot_learning(axes: Axes, history: Sequence[Mapping[str, Any]]) -> Axes:
    """Draw the validation error of each epoch, with the best marked."""
    monitor = next(name for name in _MONITORS if name in history[0])
    epochs = [row["epoch"] for row in history]
    errors = [row[monitor] for row in history]
    best = int(np.argmin(errors))
    axes.plot(epochs, errors, marker="o", ms=3)
    axes.axvline(epochs[best], color="gray", linestyle=":", label="the weights that stay")
    axes.set(
        xlabel="epoch",
        ylabel=_MONITORS[monitor],
        ylim=(0, 1.1 * max(errors)),
    )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    return axes


def plot_calibration(
    axes: Axes,
    chosen: tuple[Estimates, Values],
    judged: tuple[Estimates, Values],
    place: int = 0,
) -> Axes:
    """Draw which share of test values intervals hold, against the share that they promise.

    Parameters
    ----------
    axes : matplotlib axes
    chosen, judged : tuple of Estimates and ndarray
        What is said of molecules, and their values: those that calibrate, and those that test.
    place : int
        The target's place.
    """
    levels = np.linspace(0.05, 0.95, 19)
    held = [coverage(judged[0], conformal_factor(*chosen, level), judged[1]) for level in levels]
    axes.plot(levels, [one[place] for one in held], marker="o", ms=3, label="test molecules")
    axes.plot([0, 1], [0, 1], color="gray", linestyle=":", label="as promised")
    axes.set(
        xlabel="share promised",
        ylabel="share of test values held",
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
        Molecules whose error is not known (NaN) are left out.
    target : Target
    bins : int
        Groups of equally many molecules, whose RMSE is drawn as a line; fewer where a group would
        have less than four.
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
            label="RMSE of a fifth of them" if bins == 5 else f"RMSE of groups, {bins} in all",
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
