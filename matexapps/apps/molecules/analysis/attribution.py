"""Which atoms a prediction comes from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem import Mol, RWMol

from matexapps.apps.molecules.data.components import join_structures, split_structures
from matexapps.apps.molecules.data.standardize import parse
from matexapps.apps.molecules.prediction import predict_molecules
from matexapps.apps.molecules.tasks.task import MoleculeTask
from matexapps.experiment.domain import TrainedModel


def atom_contributions(model: TrainedModel, smiles: str) -> NDArray[np.float64]:
    """Return how much the prediction of each target falls when an atom is removed.

    The atom is removed, hydrogens fill the free valences, and what remains, in one piece or
    several, is predicted again. This works for any kind of input. Like every such method, it
    explains the model and not nature.

    Parameters
    ----------
    model : Model
    smiles : str
        Of several structures, joined.

    Returns
    -------
    ndarray, shape (atoms, targets)
        In the targets' units, in the order of the atoms in ``smiles``; 0 where no valid molecule
        remains, as after removing the only atom.
    """
    task, structures = model.task, split_structures(smiles)
    assert isinstance(task, MoleculeTask)
    remaining = [
        rest and join_structures([*structures[:position], rest, *structures[position + 1 :]])
        for position, molecule in enumerate(map(parse, structures))
        for rest in (_without(molecule, atom) for atom in range(molecule.GetNumAtoms()))
    ]
    valid = [i for i, text in enumerate(remaining) if text]
    contributions = np.zeros((len(remaining), len(task.targets)))
    if valid:
        predicted = predict_molecules(
            model, [smiles, *(remaining[i] for i in valid)]
        ).estimates.mean
        contributions[valid] = predicted[0] - predicted[1:]
    return contributions


def _without(molecule: Mol, atom: int) -> str:
    """Return the SMILES of a molecule without one atom; empty where nothing valid remains."""
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
