"""Tanimoto similarity of counted Morgan fingerprints.

Counts matter: hexane and a wax have the same environments, but not in the same number.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Fingerprints = NDArray[np.uint8]

_BATCH = 512
_LEVELS = (1, 2, 4, 8, 16)


def similarities(
    queries: Fingerprints, references: Fingerprints
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield the similarities of a batch of queries to all references, and the batch's start.

    An environment counts as five features: that it occurs at least once, twice, four, eight and
    16 times. The similarity is the share of features that two molecules have in common among
    those that at least one of them has.

    Parameters
    ----------
    queries, references : ndarray of uint8, shape (molecules, bits)
        Counts.
    """
    features = _features(references)
    used = features.any(0)
    reference = features[:, used].astype(np.float32)
    sizes = reference.sum(1)
    for start in range(0, len(queries), _BATCH):
        features = _features(queries[start : start + _BATCH])
        common = features[:, used].astype(np.float32) @ reference.T
        union = features.sum(1, dtype=np.float32)[:, None] + sizes - common
        yield start, np.divide(common, union, out=np.zeros_like(common), where=union > 0)


def _features(counts: Fingerprints) -> NDArray[np.bool_]:
    return np.concatenate([counts >= level for level in _LEVELS], axis=1)


def nearest(
    queries: Fingerprints, references: Fingerprints, count: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the references most similar to each query, nearest first.

    Returns
    -------
    indices, similarity : ndarray, shape (queries, count)
        Ties are in the order of ``references``; ``count`` is at most their number.
    """
    count = min(count, len(references))
    indices = np.empty((len(queries), count), np.int64)
    values = np.empty((len(queries), count), np.float32)
    for start, matrix in similarities(queries, references):
        order = np.argsort(-matrix, axis=1, kind="stable")[:, :count]
        indices[start : start + len(matrix)] = order
        values[start : start + len(matrix)] = np.take_along_axis(matrix, order, 1)
    return indices, values
