"""Molecules for tests, and an experiment on them."""

from __future__ import annotations

import numpy as np
import pytest
from molecule_family import FAMILY
from rdkit import Chem
from rdkit.Chem import Crippen

import matexapps as mx


@pytest.fixture(scope="session")
def table(tmp_path_factory):
    """70 molecules with a computed logP and a second target that few have."""
    noise = np.random.default_rng(0).normal(0, 0.1, len(FAMILY))
    lines = ["smiles,logP,size (atoms)"]
    for number, smiles in enumerate(FAMILY):
        molecule = Chem.MolFromSmiles(smiles)
        size = molecule.GetNumAtoms() if number % 4 == 0 else ""
        lines.append(f"{smiles},{Crippen.MolLogP(molecule) + noise[number]:.4f},{size}")
    path = tmp_path_factory.mktemp("data") / "family.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="session")
def study(table):
    """An experiment with a small ensemble on a random split."""
    return mx.molecules.train(
        data=str(table), split="random", validation=0.2, test=0.2, members=2, epochs=12
    )
