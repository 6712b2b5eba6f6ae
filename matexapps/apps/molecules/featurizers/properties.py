"""A few physical descriptors that are fast, robust, and meaningful to a chemist.

The graph members of the combined network read these besides the graph, and its other members read
all descriptors: members with different inputs have different errors, and their mean a smaller one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from rdkit.Chem import Descriptors, Mol

from matexapps.apps.molecules.featurizers.featurizer import Arrays, Featurizer

_RDKIT_NAMES = {
    "logP (Crippen)": "MolLogP",
    "molar refractivity (Crippen)": "MolMR",
    "polar surface (A^2)": "TPSA",
    "molar mass (g/mol)": "MolWt",
    "surface (A^2, Labute)": "LabuteASA",
    "hydrogen-bond acceptors": "NumHAcceptors",
    "hydrogen-bond donors": "NumHDonors",
    "rotatable bonds": "NumRotatableBonds",
    "rings": "RingCount",
    "aromatic rings": "NumAromaticRings",
    "aliphatic rings": "NumAliphaticRings",
    "saturated rings": "NumSaturatedRings",
    "aromatic carbocycles": "NumAromaticCarbocycles",
    "aromatic heterocycles": "NumAromaticHeterocycles",
    "share of sp3 carbon": "FractionCSP3",
    "heavy atoms": "HeavyAtomCount",
    "heteroatoms": "NumHeteroatoms",
    "N and O": "NOCount",
    "N-H and O-H": "NHOHCount",
    "Hall-Kier alpha": "HallKierAlpha",
    "kappa 1": "Kappa1",
    "kappa 2": "Kappa2",
    "kappa 3": "Kappa3",
    **{f"surface by logP, bin {i}": f"SlogP_VSA{i}" for i in range(1, 13)},
    **{f"surface by refractivity, bin {i}": f"SMR_VSA{i}" for i in range(1, 11)},
}
_ALL: dict[str, Callable[[Mol], float]] = dict(Descriptors.descList)
_FUNCTIONS = {name: _ALL[rdkit_name] for name, rdkit_name in _RDKIT_NAMES.items()}

PROPERTIES: tuple[str, ...] = tuple(_FUNCTIONS)
"""Names of the columns, with units."""


class Properties(Featurizer):
    """Lipophilicity, polarity, size, shape and rings, as RDKit computes them.

    Array: ``properties`` float32 (1, columns); NaN where there is no finite value.
    """

    name = "properties"
    version = 1

    def compute(self, molecule: Mol) -> Arrays:
        values = np.array([function(molecule) for function in _FUNCTIONS.values()])
        known = np.where(np.isfinite(values), values, np.nan)
        return {"properties": known.astype(np.float32)[None]}
