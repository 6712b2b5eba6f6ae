"""The characters of a molecule's SMILES, as numbers."""

from __future__ import annotations

import numpy as np
from rdkit import Chem
from rdkit.Chem import Mol

from matexapps.apps.molecules.featurizers.featurizer import Arrays, Featurizer

_FIRST, _LAST = ord("!"), ord("~")

TOKENS = _LAST - _FIRST + 1
"""Number of different characters."""


class SmilesTokens(Featurizer):
    """The characters of the canonical SMILES, as in SMILES2vec (arXiv:1712.02034).

    Arrays: ``tokens`` uint8 (characters,), ``token_count`` int32 (1,).
    """

    name = "tokens"
    version = 1

    def compute(self, molecule: Mol) -> Arrays:
        text = Chem.MolToSmiles(molecule).encode("ascii")
        tokens = np.frombuffer(text, np.uint8) - np.uint8(_FIRST)
        return {"tokens": tokens, "token_count": np.array([len(tokens)], np.int32)}
