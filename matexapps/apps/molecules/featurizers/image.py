"""Images of molecules whose channels are chemical properties.

Goh et al., Chemception (arXiv:1706.06689); the channels are those of AugChemception
(arXiv:1710.02238): bond order, atomic number, partial charge, hybridization.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem import Mol, rdDepictor, rdPartialCharges

from matexapps.apps.molecules.featurizers.featurizer import Arrays, Featurizer

SIZE = 64
CHANNELS = 4
RESOLUTION = 0.5
"""Of a pixel, in Angstrom of the depiction; larger molecules are scaled down."""

_UNITS = 100  # of the stored int8: hundredths of the values below
_HYBRIDIZATION = {
    Chem.HybridizationType.SP: 1 / 3,
    Chem.HybridizationType.SP2: 2 / 3,
    Chem.HybridizationType.SP3: 1.0,
}


class MoleculeImage(Featurizer):
    """A drawing of the molecule on 64 x 64 pixels.

    Array: ``image`` int8 (1, 4, 64, 64), in hundredths: bond order over 3, atomic number over 100,
    Gasteiger charge in elementary charges, and 1/3, 2/3, 1 for sp, sp2, sp3.
    """

    name = "image"
    version = 1

    def compute(self, molecule: Mol) -> Arrays:
        drawn = Chem.Mol(molecule)
        rdDepictor.Compute2DCoords(drawn, canonOrient=True)
        rdPartialCharges.ComputeGasteigerCharges(drawn)
        pixels = _pixels(drawn.GetConformer().GetPositions()[:, :2])
        image = np.zeros((CHANNELS, SIZE, SIZE))
        for bond in drawn.GetBonds():
            ends = pixels[[bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()]]
            steps = int(np.abs(ends[1] - ends[0]).max()) + 1
            line = np.linspace(ends[0], ends[1], steps + 1).round().astype(int)
            image[0, line[:, 1], line[:, 0]] = bond.GetBondTypeAsDouble() / 3
        for atom, (x, y) in zip(drawn.GetAtoms(), pixels.round().astype(int), strict=True):
            charge = atom.GetDoubleProp("_GasteigerCharge")
            image[1:, y, x] = (
                atom.GetAtomicNum() / 100,
                charge if np.isfinite(charge) else 0.0,
                _HYBRIDIZATION.get(atom.GetHybridization(), 0.0),
            )
        return {"image": (image * _UNITS).round().clip(-127, 127).astype(np.int8)[None]}


def _pixels(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the positions of the atoms in the image, centered, shape (atoms, 2)."""
    low, high = positions.min(0), positions.max(0)
    scale = min(1 / RESOLUTION, (SIZE - 2) / max(float((high - low).max()), 1e-6))
    return (positions - (low + high) / 2) * scale + (SIZE - 1) / 2
