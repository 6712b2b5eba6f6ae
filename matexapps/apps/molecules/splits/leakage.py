"""What the test molecules have in common with those that were trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from matexapps.apps.molecules.data.components import join, split
from matexapps.apps.molecules.splits.similarity import Fingerprints, nearest

NEAR = 0.85
"""Similarity from which on two molecules count as near neighbors."""

_SKELETON = 14


@dataclass(frozen=True)
class Leakage:
    """Relatives of test molecules among those that train or choose.

    Attributes
    ----------
    identical : list of str
        InChIKeys of test molecules that are there too.
    same_skeleton : int
        Test molecules of which a stereoisomer, isotope or other protonation is there.
    near : int
        Test molecules with a neighbor at least :data:`NEAR` similar.
    median_similarity : float
        Of the test molecules to their nearest neighbors.
    test : int
        Test molecules in all.
    pretrained : int
        Test molecules that a pre-training has learned from, without the values asked for here.
    near_pairs : list of tuple
        The near ones with their nearest neighbors, most similar first: both as numbers of
        molecules, and the similarity.
    moved : list of str
        InChIKeys of molecules that the column of the split gave to several parts; they are in the
        first of training, validation and test.
    """

    identical: list[str]
    same_skeleton: int
    near: int
    median_similarity: float
    test: int
    pretrained: int = 0
    near_pairs: list[tuple[int, int, float]] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)

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
    moved: Sequence[int] = (),
) -> Leakage:
    """Compare the test molecules with those learned from, given by their numbers.

    Those of a pre-training are given by their InChIKeys; ``moved`` are the numbers of molecules
    that stood in several parts.
    """
    known = {inchikeys[i] for i in learned}
    skeletons = {_skeleton(key) for key in known}
    places, similarity = nearest(fingerprints[test], fingerprints[learned], 1)
    near = np.flatnonzero(similarity[:, 0] >= NEAR)
    near = near[np.argsort(-similarity[near, 0], kind="stable")]
    return Leakage(
        identical=[inchikeys[i] for i in test if inchikeys[i] in known],
        same_skeleton=sum(_skeleton(inchikeys[i]) in skeletons for i in test),
        near=len(near),
        median_similarity=float(np.median(similarity[:, 0])),
        test=len(test),
        pretrained=sum(any(one in pretrained for one in split(inchikeys[i])) for i in test),
        near_pairs=[
            (int(test[i]), int(learned[places[i, 0]]), float(similarity[i, 0])) for i in near
        ],
        moved=[inchikeys[i] for i in moved],
    )


def _skeleton(inchikey: str) -> str:
    return join([one[:_SKELETON] for one in split(inchikey)])
