"""The table of organics that comes with the project."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from rdkit import Chem

from matexapps.apps.molecules.chemicals_table import COLUMNS, is_organic
from matexapps.apps.molecules.files import read_records
from matexapps.apps.molecules.records import Target
from matexapps.data import catalog


def test_the_table_is_what_its_card_says():
    entry, path = catalog.entry("chemicals"), catalog.get("chemicals")
    assert entry.checksum == "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
    records = read_records(path)
    assert len(records) == entry.rows
    assert records.targets == [
        Target("melting point", "K"),
        Target("boiling point", "K"),
        Target("logP"),
    ]
    assert np.isfinite(records.values).sum(0).tolist() == [12_781, 4_870, 4_814]
    known = dict(zip(records.smiles, records.values, strict=True))
    np.testing.assert_allclose(known["CCO"][1], 351.4, atol=0.5)  # ethanol boils at 78.3 degrees
    np.testing.assert_allclose(known["C1=CC=CC=C1"][[0, 2]], [278.6, 2.13], atol=0.1)  # benzene


@pytest.mark.parametrize(
    ("smiles", "organic"),
    [
        ("CCO", True),
        ("C", False),  # one atom
        ("O", False),
        ("CC(=O)[O-].[Na+]", False),
        ("C[N+](C)(C)C", False),
        ("C[N+](=O)[O-]", True),
        ("C[Sn](C)(C)C", False),
        ("C" * 61, False),
    ],
)
def test_organics(smiles, organic):
    assert is_organic(Chem.MolFromSmiles(smiles)) is organic


def test_the_table_can_be_made_anew():
    pytest.importorskip("chemicals", reason="needs the extra molecules-data")
    from matexapps.apps.molecules.chemicals_table import organic_rows

    rows = organic_rows()
    with open(catalog.get("chemicals"), encoding="utf-8") as file:
        assert file.readline().rstrip("\n") == ",".join(COLUMNS)
        for _, expected in zip(range(20), file, strict=False):
            assert ",".join(map(str, next(rows))) == expected.rstrip("\n")
