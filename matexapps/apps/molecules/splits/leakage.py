"""The leakage audit: relatives of test molecules among those that a model has learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from matexapps.apps.molecules.data.components import join_structures, split_structures
from matexapps.apps.molecules.splits.similarity import Fingerprints, nearest

NEAR = 0.85
"""Least similarity of near neighbors."""

_SKELETON_LENGTH = 14


@dataclass(frozen=True)
class Leakage:
    """Relatives of test molecules in the training and validation parts.

    Attributes
    ----------
    identical : list of str
        InChIKeys of test molecules that are in these parts, too.
    same_skeleton : int
        Test molecules with a stereoisomer, isotope or other protonation state there.
    near : int
        Test molecules with a neighbor there of similarity :data:`NEAR` or more.
    median_similarity : float
        Of the test molecules to their nearest neighbors there.
    test : int
        Number of test molecules.
    pretrained : int
        Test molecules that a pre-training has learned from, without the values to predict here.
    near_pairs : list of tuple
        The near test molecules with their nearest neighbors, most similar first: the indices of
        both molecules, and the similarity.
    """

    identical: list[str]
    same_skeleton: int
    near: int
    median_similarity: float
    test: int
    pretrained: int = 0
    near_pairs: list[tuple[int, int, float]] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"of {self.test:,} test molecules {len(self.identical)} are among those learned from, "
            f"{self.same_skeleton} have an isomer of the same skeleton there, {self.near} a "
            f"neighbor of similarity {NEAR} or more; median similarity to the nearest "
            f"{self.median_similarity:.2f}"
        )


def audit(
    inchikeys: Sequence[str],
    fingerprints: Fingerprints,
    learned: NDArray[np.int64],
    test: NDArray[np.int64],
    pretrained: set[str] | frozenset[str] = frozenset(),
) -> Leakage:
    """Compare the test molecules with those of the training and validation parts.

    Parameters
    ----------
    inchikeys : sequence of str
    fingerprints : ndarray of uint8, shape (molecules, bits)
    learned, test : ndarray of int64
        Indices of training and validation molecules, and of test molecules.
    pretrained : set of str
        InChIKeys of the molecules of a pre-training.
    """
    known = {inchikeys[i] for i in learned}
    skeletons = {_skeleton(key) for key in known}
    neighbors, similarity = nearest(fingerprints[test], fingerprints[learned], 1)
    near = np.flatnonzero(similarity[:, 0] >= NEAR)
    near = near[np.argsort(-similarity[near, 0], kind="stable")]
    return Leakage(
        identical=[inchikeys[i] for i in test if inchikeys[i] in known],
        same_skeleton=sum(_skeleton(inchikeys[i]) in skeletons for i in test),
        near=len(near),
        median_similarity=float(np.median(similarity[:, 0])),
        test=len(test),
        pretrained=sum(not pretrained.isdisjoint(split_structures(inchikeys[i])) for i in test),
        near_pairs=[
            (int(test[i]), int(learned[neighbors[i, 0]]), float(similarity[i, 0])) for i in near
        ],
    )


def _skeleton(inchikey: str) -> str:
    return join_structures([key[:_SKELETON_LENGTH] for key in split_structures(inchikey)])
