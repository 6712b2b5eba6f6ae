"""Morgan fingerprints with counts."""

from __future__ import annotations

import numpy as np
from rdkit.Chem import Mol
from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator

from matexapps.apps.molecules.featurizers.featurizer import Arrays, Featurizer

RADIUS = 2
BITS = 2048


class MorganCounts(Featurizer):
    """Counts of atom environments with a radius of up to two bonds, folded to 2048 bins.

    Rogers and Hahn, J. Chem. Inf. Model. 50 (2010) 742. Chirality is included. Array:
    ``fingerprint`` uint8 (1, 2048); counts are clipped at 255.
    """

    name = "fingerprint"
    version = 1

    def __init__(self) -> None:
        self._generator = GetMorganGenerator(radius=RADIUS, fpSize=BITS, includeChirality=True)

    def compute(self, molecule: Mol) -> Arrays:
        counts = self._generator.GetCountFingerprintAsNumPy(molecule)
        return {"fingerprint": counts.clip(max=255).astype(np.uint8)[None]}
