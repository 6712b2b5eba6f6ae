"""How alike molecules are: Tanimoto similarity of counted Morgan fingerprints.

Counts matter: hexane and a wax have the same environments, only not as many.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Fingerprints = NDArray[np.uint8]

_AT_ONCE = 512
_LEVELS = (1, 2, 4, 8, 16)


def similarities(
    one: Fingerprints, other: Fingerprints
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield similarities of some molecules of ``one`` to all of ``other``, and the first's place.

    An environment stands for five features: that it is there, twice, four, eight and 16 times. The
    similarity is the share of features that two molecules have in common among those that either
    has.

    Parameters
    ----------
    one, other : ndarray of uint8, shape (molecules, bits)
        Counts.
    """
    features = _features(other)
    used = features.any(0)
    reference = features[:, used].astype(np.float32)
    sizes = reference.sum(1)
    for first in range(0, len(one), _AT_ONCE):
        features = _features(one[first : first + _AT_ONCE])
        common = features[:, used].astype(np.float32) @ reference.T
        either = features.sum(1, dtype=np.float32)[:, None] + sizes - common
        yield first, np.divide(common, either, out=np.zeros_like(common), where=either > 0)


def _features(counts: Fingerprints) -> NDArray[np.bool_]:
    return np.concatenate([counts >= level for level in _LEVELS], axis=1)


def nearest(
    one: Fingerprints, other: Fingerprints, count: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the most similar molecules of ``other`` for each of ``one``, nearest first.

    Returns
    -------
    places, similarity : ndarray, shape (molecules of one, count)
        Equal ones in the order of ``other``; at most as many as ``other`` has.
    """
    count = min(count, len(other))
    places = np.empty((len(one), count), np.int64)
    values = np.empty((len(one), count), np.float32)
    for first, matrix in similarities(one, other):
        order = np.argsort(-matrix, axis=1, kind="stable")[:, :count]
        places[first : first + len(matrix)] = order
        values[first : first + len(matrix)] = np.take_along_axis(matrix, order, 1)
    return places, values
