"""Expected discovery significance of a cut on the score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from matexapps.apps.higgs.report.curves import checked, roc_table

REGULARIZATION = 10.0
"""Background events added to keep the significance steady where hardly any are left."""


@dataclass(frozen=True)
class Yields:
    """Events expected in the full sample, before any cut on the score."""

    signal: float
    background: float


def approximate_median_significance(
    signal: ArrayLike, background: ArrayLike, regularization: float = REGULARIZATION
) -> NDArray[np.float64]:
    """Return AMS = sqrt(2 ((s + b + r) ln(1 + s / (b + r)) - s)), in standard deviations.

    Sources: G. Cowan, K. Cranmer, E. Gross, O. Vitells, Eur. Phys. J. C 71 (2011) 1554, for the
    likelihood ratio of a counting experiment; the term r = 10 is that of the ATLAS Higgs boson
    machine learning challenge (C. Adam-Bourdarios et al., JMLR W&CP 42 (2015) 19).

    Parameters
    ----------
    signal, background : array-like
        Expected events s and b that pass.
    regularization : float
        r, in events.
    """
    s = np.asarray(signal, dtype=np.float64)
    b = np.asarray(background, dtype=np.float64) + regularization
    # The two terms nearly cancel for s much below b; rounding must not make their difference
    # negative.
    return np.sqrt(np.maximum(2 * ((s + b) * np.log1p(s / b) - s), 0.0))


def scan_thresholds(
    label: ArrayLike,
    score: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    yields: Yields | None = None,
    regularization: float = REGULARIZATION,
) -> pd.DataFrame:
    """Return the significance of every cut "score at or above the threshold".

    Parameters
    ----------
    label, score, weight : array-like, shape (rows,)
        Rows of one part of a sample.
    yields : Yields or None
        Events in the full sample: the part's weights are rescaled, class by class, to add up to
        them. None takes the weights as they are.
    regularization : float

    Returns
    -------
    DataFrame
        ``threshold``, ``signal`` and ``background`` (expected events that pass), ``ams``.
    """
    signal, _, weights = checked(label, score, weight)
    if yields is None:
        yields = Yields(float(weights[signal].sum()), float(weights[~signal].sum()))
    curve = roc_table(label, score, weight).iloc[1:]
    passed_signal = curve["signal_efficiency"] * yields.signal
    passed_background = curve["background_efficiency"] * yields.background
    return pd.DataFrame(
        {
            "threshold": curve["threshold"],
            "signal": passed_signal,
            "background": passed_background,
            "ams": approximate_median_significance(
                passed_signal, passed_background, regularization
            ),
        }
    ).reset_index(drop=True)


def best_threshold(scan: pd.DataFrame) -> float:
    """Return the threshold with the largest significance in a scan, of validation rows."""
    return float(scan["threshold"].iloc[int(scan["ams"].argmax())])


def significance_at(
    threshold: float,
    label: ArrayLike,
    score: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    yields: Yields | None = None,
    regularization: float = REGULARIZATION,
) -> float:
    """Return the significance of one cut; parameters as for :func:`scan_thresholds`.

    Use it on test rows, with a threshold that validation rows have chosen.
    """
    signal, scores, weights = checked(label, score, weight)
    passed = scores >= threshold
    full = yields or Yields(float(weights[signal].sum()), float(weights[~signal].sum()))
    s = full.signal * weights[passed & signal].sum() / weights[signal].sum()
    b = full.background * weights[passed & ~signal].sum() / weights[~signal].sum()
    return float(approximate_median_significance(s, b, regularization))
