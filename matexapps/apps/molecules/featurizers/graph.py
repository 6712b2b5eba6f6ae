"""Molecular graphs: codes of atoms and bonds.

Each attribute of an atom has its own range of codes, so that one embedding table serves all of
them; the last code of an attribute stands for values that are not listed. Stereochemistry enters as
CIP labels, which do not depend on the order of the atoms.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem import Atom, Bond, Mol

from matexapps.apps.molecules.featurizers.featurizer import Arrays, Featurizer

_HYBRIDIZATION = Chem.HybridizationType
_BOND = Chem.BondType
_STEREO = Chem.BondStereo

_ATOM_VALUES: tuple[Sequence[Hashable], ...] = (
    range(1, 101),  # atomic number
    range(7),  # neighbors
    range(-2, 3),  # formal charge
    range(5),  # hydrogens
    (
        _HYBRIDIZATION.S,
        _HYBRIDIZATION.SP,
        _HYBRIDIZATION.SP2,
        _HYBRIDIZATION.SP3,
        _HYBRIDIZATION.SP3D,
        _HYBRIDIZATION.SP3D2,
    ),
    (False, True),  # aromatic
    (0, 3, 4, 5, 6, 7, 8),  # atoms of the smallest ring it is in
    ("", "R", "S"),  # chirality
    (False, True),  # isotope specified
    range(3),  # unpaired electrons
)
_BOND_VALUES: tuple[Sequence[Hashable], ...] = (
    (_BOND.SINGLE, _BOND.DOUBLE, _BOND.TRIPLE, _BOND.AROMATIC),
    (False, True),  # conjugated
    (False, True),  # in a ring
    (_STEREO.STEREONONE, _STEREO.STEREOE, _STEREO.STEREOZ),
)


class _Codes:
    """Numbers the values of several attributes consecutively."""

    def __init__(self, values: tuple[Sequence[Hashable], ...]) -> None:
        sizes = [len(attribute) + 1 for attribute in values]
        starts = [0, *accumulate(sizes)]
        self.count = starts[-1]
        self._known = [
            {value: start + i for i, value in enumerate(attribute)}
            for start, attribute in zip(starts, values, strict=False)
        ]
        self._other = [start + size - 1 for start, size in zip(starts, sizes, strict=False)]

    def of(self, attributes: tuple[Hashable, ...]) -> list[int]:
        return [
            known.get(value, other)
            for known, other, value in zip(self._known, self._other, attributes, strict=True)
        ]


_atom_codes, _bond_codes = _Codes(_ATOM_VALUES), _Codes(_BOND_VALUES)

ATOM_CODES = _atom_codes.count
"""Number of different codes of atoms."""

BOND_CODES = _bond_codes.count
"""Number of different codes of bonds."""


class Graph(Featurizer):
    """Atoms without hydrogens, and the bonds between them.

    Arrays: ``atoms`` int16 (atoms, attributes), ``bonds`` int16 (bonds, attributes), ``ends`` int32
    (bonds, 2) with the atoms of each bond counted from 0 in every molecule, ``atom_count`` and
    ``bond_count`` int32 (1,).
    """

    name = "graph"
    version = 1

    def compute(self, molecule: Mol) -> Arrays:
        rings = molecule.GetRingInfo()
        atoms = [_atom_codes.of(_of_atom(atom, rings)) for atom in molecule.GetAtoms()]
        bonds = [_bond_codes.of(_of_bond(bond)) for bond in molecule.GetBonds()]
        ends = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in molecule.GetBonds()]
        return {
            "atoms": _table(atoms, len(_ATOM_VALUES), np.int16),
            "bonds": _table(bonds, len(_BOND_VALUES), np.int16),
            "ends": _table(ends, 2, np.int32),
            "atom_count": np.array([len(atoms)], np.int32),
            "bond_count": np.array([len(bonds)], np.int32),
        }


def _of_atom(atom: Atom, rings: Chem.RingInfo) -> tuple[Hashable, ...]:
    return (
        atom.GetAtomicNum(),
        atom.GetDegree(),
        atom.GetFormalCharge(),
        atom.GetTotalNumHs(),
        atom.GetHybridization(),
        atom.GetIsAromatic(),
        rings.MinAtomRingSize(atom.GetIdx()),
        atom.GetProp("_CIPCode") if atom.HasProp("_CIPCode") else "",
        atom.GetIsotope() != 0,
        atom.GetNumRadicalElectrons(),
    )


def _of_bond(bond: Bond) -> tuple[Hashable, ...]:
    return bond.GetBondType(), bond.GetIsConjugated(), bond.IsInRing(), bond.GetStereo()


def _table(rows: Sequence[Sequence[int]], width: int, kind: type) -> NDArray[np.integer]:
    return np.array(rows, kind).reshape(len(rows), width)
