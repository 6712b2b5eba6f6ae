"""Groups of related molecules: Bemis-Murcko scaffolds and Butina clusters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem.Scaffolds import MurckoScaffold

from matexapps.apps.molecules.splits.similarity import Fingerprints, similarities
from matexapps.errors import DataError

_LEAST_SIMILARITY = 0.35
_MOST_MOLECULES = 20_000


def scaffold(smiles: str) -> str:
    """Return the Bemis-Murcko scaffold of a molecule, without stereochemistry.

    Bemis and Murcko, J. Med. Chem. 39 (1996) 2887: rings and what links them. Molecules without
    rings share the empty scaffold.
    """
    core = MurckoScaffold.GetScaffoldForMol(Chem.MolFromSmiles(smiles))
    return str(Chem.MolToSmiles(core, isomericSmiles=False))


def butina(fingerprints: Fingerprints, similarity: float = _LEAST_SIMILARITY) -> NDArray[np.int64]:
    """Return the cluster number of each molecule.

    The molecule with most neighbors and these neighbors form a cluster; then the same among the
    rest (Butina, J. Chem. Inf. Comput. Sci. 39 (1999) 747). Among molecules with equally many
    neighbors the first goes first. RDKit's version loops in Python over all pairs, which it takes
    as one list.

    Parameters
    ----------
    fingerprints : ndarray of uint8, shape (molecules, bits)
    similarity : float
        Neighbors are at least this similar.

    Raises
    ------
    DataError
        If there are too many molecules to compare all pairs.
    """
    molecules = len(fingerprints)
    if molecules > _MOST_MOLECULES:
        raise DataError(
            f"clustering compares all pairs of {molecules:,} molecules, which is done for up to "
            f"{_MOST_MOLECULES:,}: use the scaffold split"
        )
    neighbors = [
        np.flatnonzero(row >= similarity)
        for _, matrix in similarities(fingerprints, fingerprints)
        for row in matrix
    ]
    clusters = np.full(molecules, -1)
    count = 0
    for center in sorted(range(molecules), key=lambda i: (-len(neighbors[i]), i)):
        if clusters[center] < 0:
            free = neighbors[center][clusters[neighbors[center]] < 0]
            clusters[free] = clusters[center] = count
            count += 1
    return clusters
