"""Activity cliffs: similar molecules with very different values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from matexapps.apps.molecules.splits.similarity import Fingerprints, similarities
from matexapps.apps.molecules.tasks.estimates import Values

SIMILAR = 0.7
"""Least similarity of a pair."""


def activity_cliffs(
    smiles: Sequence[str], fingerprints: Fingerprints, values: Values, count: int = 10
) -> pd.DataFrame:
    """Return the pairs of similar molecules whose values differ most.

    A model that relies on similarity must fail on one molecule of each pair, so these pairs bound
    what can be expected. A cliff may also be an error of measurement.

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
        ``molecule``, ``neighbor``, SMILES; ``similarity``; ``difference``, of the values;
        ``steepness``, the difference over one minus the similarity (Guha and Van Drie, J. Chem.
        Inf. Model. 48 (2008) 646), infinite for molecules with the same fingerprint.
    """
    known = np.flatnonzero(np.isfinite(values))
    bits, value = fingerprints[known], values[known]
    pairs = []
    for start, matrix in similarities(bits, bits):
        rows, columns = np.nonzero(matrix >= SIMILAR)
        rows, similarity = rows + start, matrix[rows, columns]
        later = columns > rows
        pairs.append(np.stack([rows[later], columns[later], similarity[later]], 1))
    table = np.concatenate(pairs) if pairs else np.empty((0, 3))
    first, second = table[:, 0].astype(int), table[:, 1].astype(int)
    difference = np.abs(value[first] - value[second])
    largest = np.argsort(-difference, kind="stable")[:count]
    with np.errstate(divide="ignore"):
        steepness = difference[largest] / (1 - table[largest, 2])
    return pd.DataFrame(
        {
            "molecule": [smiles[known[i]] for i in first[largest]],
            "neighbor": [smiles[known[i]] for i in second[largest]],
            "similarity": table[largest, 2],
            "difference": difference[largest],
            "steepness": steepness,
        }
    )
