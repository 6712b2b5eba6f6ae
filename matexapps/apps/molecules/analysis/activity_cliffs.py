"""Activity cliffs: molecules that are alike and values that are not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from matexapps.apps.molecules.splits.similarity import Fingerprints, similarities
from matexapps.apps.molecules.tasks.estimates import Values

SIMILAR = 0.7
"""Similarity from which on a pair is looked at."""


def activity_cliffs(
    smiles: Sequence[str], fingerprints: Fingerprints, values: Values, count: int = 10
) -> pd.DataFrame:
    """Return the pairs of similar molecules whose values differ most.

    A model that goes by similarity must fail on one of each pair, so they bound what can be
    expected; a cliff may also be an error of measurement.

    Parameters
    ----------
    smiles : sequence of str
    fingerprints : ndarray of uint8, shape (molecules, bits)
    values : ndarray of float64, shape (molecules,)
        Of one target; NaN is missing.
    count : int
        How many pairs.

    Returns
    -------
    DataFrame
        ``one``, ``other``, SMILES; ``similarity``; ``difference``, of the values; ``steepness``,
        the difference over one minus the similarity (Guha and Van Drie, J. Chem. Inf. Model. 48
        (2008) 646), infinite for molecules that the fingerprint does not tell apart.
    """
    known = np.flatnonzero(np.isfinite(values))
    bits, value = fingerprints[known], values[known]
    pairs = []
    for first, matrix in similarities(bits, bits):
        rows, columns = np.nonzero(matrix >= SIMILAR)
        rows, similarity = rows + first, matrix[rows, columns]
        later = columns > rows
        pairs.append(np.stack([rows[later], columns[later], similarity[later]], 1))
    table = np.concatenate(pairs) if pairs else np.empty((0, 3))
    one, other = table[:, 0].astype(int), table[:, 1].astype(int)
    difference = np.abs(value[one] - value[other])
    largest = np.argsort(-difference, kind="stable")[:count]
    with np.errstate(divide="ignore"):
        steepness = difference[largest] / (1 - table[largest, 2])
    return pd.DataFrame(
        {
            "one": [smiles[known[i]] for i in one[largest]],
            "other": [smiles[known[i]] for i in other[largest]],
            "similarity": table[largest, 2],
            "difference": difference[largest],
            "steepness": steepness,
        }
    )
