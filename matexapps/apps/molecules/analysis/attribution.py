"""Which atoms a prediction comes from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem import Mol, RWMol

from matexapps.apps.molecules.data.components import join, split
from matexapps.apps.molecules.data.standardize import parse
from matexapps.apps.molecules.model import Model


def atom_contributions(model: Model, smiles: str) -> NDArray[np.float64]:
    """Return how much each target falls when an atom is taken out of the molecule.

    The atom goes, hydrogens fill the free valences, and what is left, in one piece or several, is
    predicted again. This asks the whole model, whatever it reads; like every such method it tells
    what the model makes of the molecule, not why nature does.

    Parameters
    ----------
    model : Model
    smiles : str
        Of several structures, joined.

    Returns
    -------
    ndarray, shape (atoms, targets)
        In the targets' units, in the order of the atoms in ``smiles``; 0 where nothing sensible is
        left, as of a molecule of one atom.
    """
    structures = split(smiles)
    remaining = [
        rest and join([*structures[:place], rest, *structures[place + 1 :]])
        for place, molecule in enumerate(map(parse, structures))
        for rest in (_without(molecule, atom) for atom in range(molecule.GetNumAtoms()))
    ]
    good = [place for place, one in enumerate(remaining) if one]
    contributions = np.zeros((len(remaining), len(model.targets)))
    if good:
        predicted = model.predict([smiles, *(remaining[place] for place in good)]).estimates.mean
        contributions[good] = predicted[0] - predicted[1:]
    return contributions


def _without(molecule: Mol, atom: int) -> str:
    """Return the SMILES of a molecule without one atom, empty where that is none."""
    edited = RWMol(molecule)
    with rdBase.BlockLogs():
        Chem.Kekulize(edited, clearAromaticFlags=True)
        for neighbor in edited.GetAtomWithIdx(atom).GetNeighbors():
            neighbor.SetNoImplicit(False)
            neighbor.SetNumExplicitHs(0)
            neighbor.SetChiralTag(Chem.ChiralType.CHI_UNSPECIFIED)
        edited.RemoveAtom(atom)
        text = Chem.MolToSmiles(edited)
        return text if text and Chem.MolFromSmiles(text) is not None else ""
