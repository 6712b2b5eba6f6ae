"""Split conformal prediction: regions that hold their share of new rows.

Vovk, Gammerman, Shafer, Algorithmic Learning in a Random World (2005); Lei et al., J. Am. Stat.
Assoc. 113 (2018) 1094.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.9
"""Share of new rows whose value a region is to hold."""


def conformal_quantile(
    residual: NDArray[np.float64], level: float = LEVEL, floor: float = 0.0
) -> float:
    """Return how far a region must reach to hold at least ``level`` of rows like these.

    Parameters
    ----------
    residual : ndarray, shape (rows,)
        Non-negative, of rows that were not trained on.
    level : float
    floor : float
        How far it reaches at least where there are too few rows for the level.

    Returns
    -------
    float
        NaN without rows.
    """
    count = len(residual)
    if count == 0:
        return math.nan
    rank = math.ceil((count + 1) * level)
    if rank > count:
        return max(float(residual.max()), floor)
    return float(np.sort(residual)[rank - 1])


def normal_reach(level: float = LEVEL) -> float:
    """Return how many deviations hold ``level`` of a normal distribution."""
    return NormalDist().inv_cdf((1 + level) / 2)
