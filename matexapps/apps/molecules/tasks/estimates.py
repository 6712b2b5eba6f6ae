"""From an ensemble's outputs to values, deviations and calibrated intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matexapps.apps.molecules.tasks.regression_loss import FREEDOM
from matexapps.experiment.statistics.conformal import LEVEL, conformal_quantile, normal_reach

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Estimates:
    """Predictions of an ensemble for molecules, in the targets' units.

    Attributes
    ----------
    mean : ndarray, shape (molecules, targets)
    noise : ndarray, shape (molecules, targets)
        Standard deviation of the measurement, as the members predict it.
    disagreement : ndarray, shape (molecules, targets)
        Standard deviation of the members' means.
    """

    mean: Values
    noise: Values
    disagreement: Values

    @classmethod
    def from_outputs(cls, outputs: NDArray[np.float32], mean: Values, scale: Values) -> Estimates:
        """Convert standardized outputs, shape (molecules, members, targets, 2)."""
        means, log_scales = np.moveaxis(outputs.astype(np.float64), -1, 0)
        variances = np.exp(log_scales) * FREEDOM / (FREEDOM - 2)
        return cls(
            mean=means.mean(1) * scale + mean,
            noise=np.sqrt(variances.mean(1)) * scale,
            disagreement=means.std(1) * scale,
        )

    @property
    def deviation(self) -> Values:
        """Standard deviation of both kinds together, as of a mixture of normal distributions.

        Lakshminarayanan, Pritzel, Blundell, Deep ensembles, NeurIPS 2017.
        """
        return np.hypot(self.noise, self.disagreement)


def conformal_factor(estimates: Estimates, values: Values, level: float = LEVEL) -> Values:
    """Return the half-width of intervals in units of the deviation, for each target.

    Split conformal prediction with residuals in units of the deviation: of molecules like those
    given, intervals cover at least ``level`` (Lei et al., J. Am. Stat. Assoc. 113 (2018) 1094).
    Where there are too few values for that, it is the largest residual, but not less than the
    quantile of the normal distribution.

    Parameters
    ----------
    estimates : Estimates
        Of molecules that were not trained on.
    values : ndarray, shape (molecules, targets)
        NaN is missing.
    level : float

    Returns
    -------
    ndarray, shape (targets,)
        NaN for a target without values.
    """
    residual = np.abs(values - estimates.mean) / estimates.deviation
    floor = normal_reach(level)
    return np.array(
        [conformal_quantile(column[np.isfinite(column)], level, floor) for column in residual.T]
    )


@dataclass(frozen=True)
class Intervals:
    """Where values are expected, in the targets' units.

    Attributes
    ----------
    low, high : ndarray, shape (molecules, targets)
    """

    low: Values
    high: Values


def intervals(estimates: Estimates, factor: Values) -> Intervals:
    """Return intervals that extend by ``factor`` deviations to either side."""
    reach = factor * estimates.deviation
    return Intervals(estimates.mean - reach, estimates.mean + reach)


def coverage(estimates: Estimates, factor: Values, values: Values) -> Values:
    """Return the share of known values inside the intervals, NaN where either is missing."""
    inside = np.abs(values - estimates.mean) <= factor * estimates.deviation
    known = np.isfinite(values) & np.isfinite(factor)
    return np.array(
        [
            column[mask].mean() if mask.any() else math.nan
            for column, mask in zip(inside.T, known.T, strict=True)
        ]
    )
