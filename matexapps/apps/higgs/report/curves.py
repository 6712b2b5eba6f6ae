"""ROC, background rejection and score histograms, as tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import roc_curve

from matexapps.errors import DataError


def checked(
    label: ArrayLike, score: ArrayLike, weight: ArrayLike | None
) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
    """Return signal flags, scores and weights (1 where None) of equal length.

    Raises
    ------
    DataError
        If lengths differ, a score is not finite, or one class is missing.
    """
    signal = np.asarray(label).astype(bool)
    scores = np.asarray(score, dtype=np.float64)
    weights = np.ones(len(signal)) if weight is None else np.asarray(weight, dtype=np.float64)
    if not signal.shape == scores.shape == weights.shape or signal.ndim != 1:
        raise DataError(
            f"labels {signal.shape}, scores {scores.shape} and weights {weights.shape} do not fit: "
            "give one value of each for every row"
        )
    if not np.isfinite(scores).all():
        row = int(np.argmin(np.isfinite(scores)))
        raise DataError(f"the score of row {row} is {scores[row]}: every row needs a finite score")
    if signal.all() or not signal.any():
        raise DataError(
            f"all {len(signal)} rows have label {int(signal[:1].sum())}: both classes are needed"
        )
    return signal, scores, weights


def roc_table(label: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None) -> pd.DataFrame:
    """Return the ROC curve.

    Returns
    -------
    DataFrame
        ``threshold`` (rows at or above it pass), ``signal_efficiency``,
        ``background_efficiency``; from no row passing to all.
    """
    signal, scores, weights = checked(label, score, weight)
    false_positive, true_positive, threshold = roc_curve(signal, scores, sample_weight=weights)
    return pd.DataFrame(
        {
            "threshold": threshold,
            "signal_efficiency": true_positive,
            "background_efficiency": false_positive,
        }
    )


def background_rejection(
    label: ArrayLike,
    score: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    signal_efficiency: ArrayLike = 0.5,
) -> NDArray[np.float64]:
    """Return one over the background efficiency at the given signal efficiencies.

    Between the points of the ROC curve the background efficiency is interpolated linearly; it is
    infinite where no background is left.
    """
    table = roc_table(label, score, weight)
    remaining = np.interp(
        np.asarray(signal_efficiency, dtype=np.float64),
        table["signal_efficiency"],
        table["background_efficiency"],
    )
    with np.errstate(divide="ignore"):
        return np.asarray(1.0 / remaining)


def score_histogram(
    label: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None, *, bins: int = 40
) -> pd.DataFrame:
    """Return weighted histograms of the scores, each class with an area of 1.

    Returns
    -------
    DataFrame
        ``low`` and ``high`` edge of each bin; ``signal`` and ``background``, densities;
        ``signal_error`` and ``background_error``, their standard deviations from the weights.
    """
    signal, scores, weights = checked(label, score, weight)
    edges = np.linspace(scores.min(), scores.max(), bins + 1)
    width = np.diff(edges)
    columns = {"low": edges[:-1], "high": edges[1:]}
    for name, of_class in (("signal", signal), ("background", ~signal)):
        total = weights[of_class].sum()
        counts, _ = np.histogram(scores[of_class], edges, weights=weights[of_class])
        squares, _ = np.histogram(scores[of_class], edges, weights=weights[of_class] ** 2)
        columns[name] = counts / total / width
        columns[f"{name}_error"] = np.sqrt(squares) / total / width
    return pd.DataFrame(columns)
