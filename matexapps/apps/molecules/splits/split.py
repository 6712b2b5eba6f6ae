"""Which molecules train, which choose, and which judge.

``scaffold`` and ``cluster`` keep molecules that are alike together, so that the test molecules are
new chemistry; ``random`` lets relatives of the training molecules into the test.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem.Scaffolds import MurckoScaffold

from matexapps.apps.molecules.data.records import is_blank
from matexapps.apps.molecules.splits.similarity import Fingerprints, similarities
from matexapps.errors import DataError, did_you_mean

PARTS = ("train", "validation", "test")
KINDS = ("scaffold", "cluster", "random", "time", "column")
_WORDS = {"train": 0, "validation": 1, "valid": 1, "val": 1, "test": 2}
_DIGITS_OF_A_YEAR = 4
_LEAST_SIMILARITY = 0.35
_LARGEST_CLUSTERED = 20_000


@dataclass(frozen=True)
class Split:
    """Numbers of the molecules of each part, ascending."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]

    def __post_init__(self) -> None:
        for name in PARTS:
            if len(getattr(self, name)) == 0:
                raise DataError(
                    f"the split leaves no molecules in the {name} part: give it a larger share, "
                    "another kind of split, or more molecules"
                )

    @classmethod
    def from_codes(cls, codes: NDArray[np.int8]) -> Split:
        """Make it of each molecule's part, as its place in :data:`PARTS`; others are left out."""
        return cls(*(np.flatnonzero(codes == code) for code in range(len(PARTS))))


def check_split(kind: str, validation: float, test: float) -> None:
    """Raise a DataError for an unknown kind, or shares that leave nothing to train on."""
    if kind not in KINDS:
        raise DataError(
            f"unknown split {kind!r}{did_you_mean(kind, KINDS)}; use {', '.join(KINDS)}"
        )
    if not (validation > 0 and test > 0 and validation + test < 1):
        raise DataError(
            f"validation={validation} and test={test} must be above 0 and leave a share to train on"
        )


def random_split(molecules: int, validation: float, test: float, seed: int) -> Split:
    """Draw the parts."""
    order = np.random.default_rng(seed).permutation(molecules)
    return Split.from_codes(_in_order(order, validation, test))


def scaffold_split(smiles: Sequence[str], validation: float, test: float, seed: int) -> Split:
    """Keep molecules of one Bemis-Murcko scaffold together: see :func:`group_split`.

    Bemis and Murcko, J. Med. Chem. 39 (1996) 2887: rings and what links them. Molecules without
    rings share the empty scaffold.
    """
    return group_split([scaffold(one) for one in smiles], validation, test, seed)


def scaffold(smiles: str) -> str:
    """Return the scaffold of a molecule, without stereochemistry."""
    core = MurckoScaffold.GetScaffoldForMol(Chem.MolFromSmiles(smiles))
    return str(Chem.MolToSmiles(core, isomericSmiles=False))


def butina(fingerprints: Fingerprints, similarity: float = _LEAST_SIMILARITY) -> NDArray[np.int64]:
    """Return the number of each molecule's cluster.

    The molecule with most neighbors takes these as its cluster; then again among the rest
    (Butina, J. Chem. Inf. Comput. Sci. 39 (1999) 747).

    Parameters
    ----------
    fingerprints : ndarray of uint8, shape (molecules, bits)
    similarity : float
        Neighbors are at least this similar.

    Raises
    ------
    DataError
        If there are too many molecules to compare each with each.
    """
    molecules = len(fingerprints)
    if molecules > _LARGEST_CLUSTERED:
        raise DataError(
            f"clustering compares each of {molecules:,} molecules with each, which is done for up "
            f"to {_LARGEST_CLUSTERED:,}: use the scaffold split"
        )
    neighbors = [
        np.flatnonzero(row >= similarity)
        for _, matrix in similarities(fingerprints, fingerprints)
        for row in matrix
    ]
    clusters = np.full(molecules, -1)
    found = 0
    for center in sorted(range(molecules), key=lambda i: (-len(neighbors[i]), i)):
        if clusters[center] < 0:
            free = neighbors[center][clusters[neighbors[center]] < 0]
            clusters[free] = clusters[center] = found
            found += 1
    return clusters


def group_split(groups: Sequence[Hashable], validation: float, test: float, seed: int) -> Split:
    """Give whole groups to the parts, balanced.

    Groups larger than half of the test or validation part come first, the largest foremost, so
    that they train and no one kind of molecule fills the other parts; the rest follow in an order
    drawn from ``seed``. Each goes to the first of training, validation and test that has room for
    all of it, and where none has, to the one that lacks the largest part of its share.
    """
    members: dict[Hashable, list[int]] = {}
    for place, group in enumerate(groups):
        members.setdefault(group, []).append(place)
    total = len(groups)
    large = [one for one in members.values() if len(one) > min(validation, test) * total / 2]
    small = [one for one in members.values() if len(one) <= min(validation, test) * total / 2]
    large.sort(key=lambda one: (-len(one), one[0]))
    order = np.random.default_rng(seed).permutation(len(small))
    chosen, judged = round(validation * total), round(test * total)
    wanted = np.array([total - chosen - judged, chosen, judged])
    room = wanted.copy()
    given: list[list[list[int]]] = [[], [], []]
    for one in [*large, *(small[i] for i in order)]:
        fitting = (code for code in range(len(PARTS)) if len(one) <= room[code])
        code = next(fitting, int(np.argmax(room / np.maximum(wanted, 1))))
        given[code].append(one)
        room[code] -= len(one)
    for part in (given[1], given[2]):
        if not part and len(given[0]) > 1:  # few groups: the smallest that would train
            part.append(given[0].pop(int(np.argmin([len(one) for one in given[0]]))))
    return Split(*(np.sort(np.array([i for one in part for i in one], int)) for part in given))


def time_split(times: Sequence[Sequence[object]], validation: float, test: float) -> Split:
    """Train on the oldest molecules and test on the newest.

    Parameters
    ----------
    times : sequence of sequence of object
        Of each molecule's rows, the earliest of which counts: numbers, or dates like 2024-03-31. A
        molecule without any is left out.
    validation, test : float

    Raises
    ------
    DataError
        If one is neither, or they are some of this and some of that.
    """
    known = [[time for time in some if not is_blank(time)] for some in times]
    present = [time for some in known for time in some]
    read = _number if all(map(_is_number, present)) else _seconds
    earliest = np.array([min(map(read, some)) if some else np.inf for some in known])
    order = np.argsort(earliest, kind="stable")[: sum(map(bool, known))]
    codes = np.full(len(times), -1, np.int8)
    codes[order] = _shares(len(order), validation, test)
    return Split.from_codes(codes)


def column_split(parts: Sequence[Sequence[object]]) -> Split:
    """Take the parts from a column that says train, validation (or valid, val) or test.

    Parameters
    ----------
    parts : sequence of sequence of object
        What the column says of each molecule's rows. Rows of one molecule count together, so one
        that stands in several parts trains, or else chooses: see :func:`in_several_parts`. Other
        words leave a molecule out.
    """
    codes = np.array([min(_codes(some), default=-1) for some in parts], np.int8)
    if (codes < 0).all():
        raise DataError(
            f"the column of the split says {parts[0][0]!r}: it must say train, validation or test"
        )
    return Split.from_codes(codes)


def in_several_parts(parts: Sequence[Sequence[object]]) -> list[int]:
    """Return the numbers of the molecules that a column gives to more than one part."""
    return [place for place, some in enumerate(parts) if len(_codes(some)) > 1]


def _codes(parts: Sequence[object]) -> set[int]:
    words = (str(part).strip().lower() for part in parts)
    return {_WORDS[word] for word in words if word in _WORDS}


def _in_order(order: NDArray[np.int64], validation: float, test: float) -> NDArray[np.int8]:
    codes = np.empty(len(order), np.int8)
    codes[order] = _shares(len(order), validation, test)
    return codes


def _shares(total: int, validation: float, test: float) -> NDArray[np.int64]:
    """Return the parts of so many molecules in order: training first, test last."""
    chosen, judged = round(validation * total), round(test * total)
    return np.repeat([0, 1, 2], [total - chosen - judged, chosen, judged])


def _number(time: object) -> float:
    return float(str(time))


def _is_number(time: object) -> bool:
    try:
        _number(time)
    except ValueError:
        return False
    return True


def _seconds(time: object) -> float:
    """Return a date as seconds since 1970; of numbers only years are dates."""
    text = str(time).strip()
    try:
        if _is_number(text) and len(text) != _DIGITS_OF_A_YEAR:
            raise ValueError("others of its cells are no numbers, and this one is")
        return float(np.datetime64(text).astype("datetime64[s]").astype(np.int64))
    except ValueError as error:
        raise DataError(
            f"the split by time needs a column of numbers or of dates like 2024-03-31, and one of "
            f"its cells is {text!r}: {error}"
        ) from None
