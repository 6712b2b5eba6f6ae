"""One three-dimensional structure of a molecule."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem import Mol, rdDistGeom, rdForceFieldHelpers

from matexapps.errors import MatexError

BOHR = 0.529177210903
"""In Angstrom (CODATA 2018)."""

_STEPS = 1000


class NotComputed(MatexError):
    """A molecule has no structure or no energy; the message is the reason."""


def conformer(smiles: str, seed: int, again: bool = False) -> Mol:
    """Return the molecule with hydrogens and coordinates.

    ETKDGv3 (Wang et al., J. Chem. Inf. Model. 60 (2020) 2044), then MMFF94, or UFF where MMFF94
    lacks parameters. It is a single conformer, not the best of many.

    Parameters
    ----------
    smiles : str
    seed : int
        Determines the conformer.
    again : bool
        Start from random coordinates, which succeeds for crowded molecules where the default
        fails.

    Raises
    ------
    NotComputed
        If no coordinates are found, or no force field has parameters for the atoms.
    """
    with rdBase.BlockLogs():
        molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
        settings = rdDistGeom.ETKDGv3()
        settings.randomSeed = 1 + seed % (2**31 - 1)  # type: ignore[assignment]  # the stubs err
        settings.useRandomCoords = again  # type: ignore[assignment]
        if rdDistGeom.EmbedMolecule(molecule, settings) != 0:
            raise NotComputed("no three-dimensional structure was found")
        if rdForceFieldHelpers.MMFFHasAllMoleculeParams(molecule):
            rdForceFieldHelpers.MMFFOptimizeMolecule(molecule, maxIters=_STEPS)
        elif rdForceFieldHelpers.UFFHasAllMoleculeParams(molecule):
            rdForceFieldHelpers.UFFOptimizeMolecule(molecule, maxIters=_STEPS)
        else:
            raise NotComputed("neither MMFF94 nor UFF has parameters for its atoms")
    return molecule


def positions(molecule: Mol) -> NDArray[np.float64]:
    """Return the coordinates of all atoms in bohr, shape (atoms, 3)."""
    return np.asarray(molecule.GetConformer().GetPositions()) / BOHR
