"""Features against other ways to the same numbers; the cache; hard molecules."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import Crippen, Descriptors, rdMolDescriptors

from matexapps.apps.molecules.featurizers import FEATURIZERS
from matexapps.apps.molecules.featurizers.cache import FeatureCache
from matexapps.apps.molecules.featurizers.descriptors import DESCRIPTORS
from matexapps.apps.molecules.featurizers.featurize import featurize
from matexapps.apps.molecules.featurizers.graph import ATOM_CODES, BOND_CODES
from matexapps.errors import DataError
from matexapps.experiment.ranks import Ranks

HARD = ["C", "[2H]C", "C" * 200, "CC.O", "C[C@H](N)O", "C/C=C/C", "[Fe]", "C1CC1", "CC(=O)[O-]"]


def features(name, smiles):
    return featurize(smiles, smiles, [name], Ranks.single())


def test_graphs_have_every_atom_and_bond_and_their_neighbors():
    arrays = features("graph", HARD)
    molecules = [Chem.MolFromSmiles(smiles) for smiles in HARD]
    assert arrays["atom_count"].tolist() == [molecule.GetNumAtoms() for molecule in molecules]
    assert arrays["bond_count"].tolist() == [molecule.GetNumBonds() for molecule in molecules]
    assert 0 <= arrays["atoms"].min() <= arrays["atoms"].max() < ATOM_CODES
    assert 0 <= arrays["bonds"].min() <= arrays["bonds"].max() < BOND_CODES
    first = np.cumsum(arrays["bond_count"]) - arrays["bond_count"]
    for molecule, start in zip(molecules, first, strict=True):
        ends = arrays["ends"][start : start + molecule.GetNumBonds()]
        expected = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in molecule.GetBonds()]
        assert ends.tolist() == [list(bond) for bond in expected]


@pytest.mark.parametrize(
    ("smiles", "other"),
    [
        ("C[C@H](N)O", "C[C@@H](N)O"),
        ("C/C=C/C", "C/C=C\\C"),
        ("C", "[2H]C"),
        ("CN", "CO"),
        ("[CH3]", "C"),
    ],
)
def test_graphs_tell_stereo_isotopes_and_elements_apart_but_not_the_order_of_writing(smiles, other):
    def signature(smiles):
        arrays = features("graph", [smiles])
        return sorted(map(tuple, arrays["atoms"])), sorted(map(tuple, arrays["bonds"]))

    assert signature(smiles) != signature(other)
    shuffled = Chem.MolToSmiles(Chem.MolFromSmiles(smiles), canonical=False, rootedAtAtom=0)
    assert signature(smiles) == signature(shuffled)


def test_descriptors_are_those_of_rdkit_with_gaps_where_it_has_none():
    table = features("descriptors", HARD)["descriptors"]
    assert table.shape == (len(HARD), len(DESCRIPTORS))
    molecule = Chem.MolFromSmiles("C[C@H](N)O")
    for name, expected in (
        ("MolLogP", Crippen.MolLogP(molecule)),
        ("MolWt", Descriptors.MolWt(molecule)),
    ):
        assert table[4, DESCRIPTORS.index(name)] == pytest.approx(expected, rel=1e-6)
    assert np.isnan(table[6, DESCRIPTORS.index("BCUT2D_MRHI")])  # no parameters for iron
    assert not np.isinf(table).any()


def test_fingerprints_count_environments():
    smiles = ["CCC", "C[C@H](N)c1ccccc1", "C" * 300]
    fingerprints = features("fingerprint", smiles)["fingerprint"]
    assert fingerprints.dtype == np.uint8
    for row, text in zip(fingerprints, smiles[:2], strict=False):
        molecule = Chem.MolFromSmiles(text)
        counts = rdMolDescriptors.GetHashedMorganFingerprint(molecule, 2, 2048, useChirality=True)
        assert {int(i): int(row[i]) for i in np.flatnonzero(row)} == counts.GetNonzeroElements()
    assert fingerprints[2].max() == 255


def test_characters_and_pictures():
    tokens = features("tokens", ["CO", "C#N"])
    assert tokens["token_count"].tolist() == [2, 3]
    assert tokens["tokens"].tolist() == [ord(c) - ord("!") for c in "COC#N"]
    image = features("image", ["CO", "C" * 200, "C"])["image"]
    assert image.shape == (3, 4, 64, 64)
    assert set(np.unique(image[0, 1]).tolist()) == {0, 6, 8}  # atomic numbers in hundredths
    assert image[0, 0].max() == 33  # a single bond, a third
    assert (image[1, 1] > 0).sum() > 50  # drawn smaller, still inside
    assert (image[2, 1] > 0).sum() == 1


@pytest.mark.parametrize("name", list(FEATURIZERS))
def test_the_cache_gives_back_what_was_computed(name, tmp_path):
    cache = FeatureCache(tmp_path / "cache")
    keys = [f"key {i}" for i in range(len(HARD))]
    computed = featurize(HARD, keys, [name], Ranks.single(), cache)
    some = [5, 0, 3]
    again = featurize([HARD[i] for i in some], [keys[i] for i in some], [name], Ranks.single())
    cached = cache.read(FEATURIZERS[name](), [f"{keys[i]} {HARD[i]}" for i in some])
    assert len(cached) == 3
    for position, i in enumerate(some):
        for array, values in cached[f"{keys[i]} {HARD[i]}"].items():
            alone = FEATURIZERS[name]().compute(Chem.MolFromSmiles(HARD[i]))[array]
            np.testing.assert_array_equal(values, alone)
            if len(again[array]) == len(some):
                np.testing.assert_array_equal(again[array][position], computed[array][i])


def test_a_damaged_cache_is_named(tmp_path):
    cache = FeatureCache(tmp_path)
    featurize(["C"], ["key"], ["graph"], Ranks.single(), cache)
    path = cache.path(FEATURIZERS["graph"]())
    with sqlite3.connect(path) as table:
        assert table.execute("SELECT key FROM features").fetchall() == [("key C",)]
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(DataError, match=r"graph-1-rdkit-.*delete that file"):
        featurize(["C"], ["key"], ["graph"], Ranks.single(), cache)
