"""Features of rows, each of which has one structure or several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matexapps.apps.molecules.data.components import split_structures
from matexapps.apps.molecules.featurizers.cache import FeatureCache
from matexapps.apps.molecules.featurizers.featurize import featurize
from matexapps.apps.molecules.featurizers.featurizer import Arrays
from matexapps.experiment.ranks import Ranks

STRUCTURE_INDEX = "structure_index"
"""Key, among features of different structures, of the indices of each row's structures.

int64, shape (rows, structures of a row).
"""


def featurize_rows(
    smiles: Sequence[str],
    inchikeys: Sequence[str],
    components: int,
    names: Sequence[str],
    ranks: Ranks,
    cache: FeatureCache | None = None,
) -> Arrays:
    """Return the features of rows, on every rank. Collective.

    Parameters
    ----------
    smiles, inchikeys : sequence of str
        Of rows, their structures joined; the same on all ranks.
    components : int
        Structures of a row.
    names, ranks, cache
        As for :func:`~matexapps.apps.molecules.featurizers.featurize.featurize`.

    Returns
    -------
    dict of str to ndarray
        With one structure a row, its features; with several, the features of all different
        structures, and :data:`STRUCTURE_INDEX`.
    """
    if components == 1:
        return featurize(smiles, inchikeys, names, ranks, cache)
    rows = [
        list(zip(split_structures(text), split_structures(key), strict=True))
        for text, key in zip(smiles, inchikeys, strict=True)
    ]
    pairs = dict.fromkeys(pair for row in rows for pair in row)
    indices = {pair: index for index, pair in enumerate(pairs)}
    features = featurize(
        [text for text, _ in pairs], [key for _, key in pairs], names, ranks, cache
    )
    return {
        **features,
        STRUCTURE_INDEX: np.array([[indices[pair] for pair in row] for row in rows]),
    }


def structure_indices(features: Arrays, rows: int) -> NDArray[np.int64]:
    """Return the indices of each row's structures, shape (rows, structures of a row)."""
    return features.get(STRUCTURE_INDEX, np.arange(rows)[:, None])


def row_features(features: Arrays, name: str) -> NDArray[Any]:
    """Return features of fixed width, shape (rows, width), those of a row's structures in turn."""
    if STRUCTURE_INDEX not in features:
        return features[name]
    table = features[name][features[STRUCTURE_INDEX]]
    return table.reshape(len(table), -1)
