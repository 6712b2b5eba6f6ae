"""Tables of molecules that come with the project, or that it makes or finds by name."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from rdkit import Chem

from matexapps.apps.molecules.data.reader import read_records
from matexapps.apps.molecules.data.tables import b3db, qm9
from matexapps.apps.molecules.data.tables.chemicals import COLUMNS, is_organic
from matexapps.apps.molecules.data.targets import Target
from matexapps.apps.molecules.prepared import load_records
from matexapps.apps.molecules.settings import MoleculeSettings
from matexapps.data.catalog import catalog
from matexapps.errors import DataError, MissingExtraError


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
    from matexapps.apps.molecules.data.tables.chemicals import organic_rows

    rows = organic_rows()
    with open(catalog.get("chemicals"), encoding="utf-8") as file:
        assert file.readline().rstrip("\n") == ",".join(COLUMNS)
        for _, expected in zip(range(20), file, strict=False):
            assert ",".join(map(str, next(rows))) == expected.rstrip("\n")


def test_the_barrier_s_table_is_made_anew_and_found_by_name(tmp_path):
    pytest.importorskip("B3DB", reason="needs the extra molecules-data")
    made = tmp_path / "b3db.csv"
    assert b3db.main([str(made)]) == 0
    assert made.read_bytes() == catalog.get("b3db").read_bytes()
    records = load_records(MoleculeSettings(data="b3db"))
    assert records.targets == [Target("BBB", "", ("BBB-", "BBB+"))]
    assert [int((records.values == value).sum()) for value in (0, 1)] == [2851, 4956]
    (logbb,) = load_records(MoleculeSettings(data="b3db", target_columns=["logBB"])).targets
    assert logbb == Target("logBB")


def test_qm9_is_read_from_the_package_without_importing_it(tmp_path, monkeypatch):
    """A package of the same name and layout, whose import fails as that of the real one does."""
    monkeypatch.syspath_prepend(tmp_path)
    package, record = tmp_path / "qm9pack", tmp_path / "qm9pack-9.9.dist-info"
    (package / "data").mkdir(parents=True)
    record.mkdir()
    (package / "__init__.py").write_text("raise ImportError('no pkg_resources')")
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: qm9pack\nVersion: 9.9\n")
    names = [f"qm9pack/data/qm9_part{part}.csv" for part in (1, 2, 3)]
    (record / "RECORD").write_text("".join(f"{name},,\n" for name in names[:2]))
    source = ["SMILES", "XYZ_Ang", *list(qm9._COLUMNS.values())[1:]]
    for number, name in enumerate(names):
        values = [f"{number}.{i}" for i in range(12)]
        cells = ["C" * (number + 1), "[[0.0, 0.0], [1.0, 1.0]]", *values]
        lines = [",".join(source), ",".join(f'"{cell}"' for cell in cells)]
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    with pytest.raises(MissingExtraError, match=r"qm9_part3.csv .*matexapps\[qm9\]"):
        qm9.main([str(tmp_path / "qm9.csv")])
    assert not (tmp_path / "qm9.csv").exists()
    (record / "RECORD").write_text("".join(f"{name},,\n" for name in names))
    assert qm9.main([str(tmp_path / "qm9.csv")]) == 0
    monkeypatch.setenv("MATEXAPPS_DATA", str(tmp_path))
    records = load_records(MoleculeSettings(data="qm9"))
    assert records.smiles == ["C", "CC", "CCC"]
    assert records.targets == [Target("gap", "Hartree")]
    np.testing.assert_allclose(records.values[:, 0], [0.4, 1.4, 2.4])


def test_moleculenet_by_name(tmp_path, monkeypatch):
    monkeypatch.setenv("MATEXAPPS_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "bace.csv").write_text("mol,CID,Class,Model,pIC50,MW\nCCO,a,1,Train,9.1,46\n")
    records = load_records(MoleculeSettings(data="bace"))
    assert (records.smiles, records.targets) == (["CCO"], [Target("Class", "", ("0", "1"))])
    (tmp_path / "tox21.csv").write_text("NR-AR,SR-p53,mol_id,smiles\n0,,T1,CCO\n,1,T2,CCN\n")
    assert len(load_records(MoleculeSettings(data="tox21")).targets) == 2
    with pytest.raises(DataError, match=r"freesolv is not on this machine.*MATEXAPPS_DATA.*SAMPL"):
        load_records(MoleculeSettings(data="freesolv"))
    (tmp_path / "SAMPL.csv").write_text("iupac,smiles,expt,calc\nethanol,CCO,-5.0,-4.5\n")
    records = load_records(MoleculeSettings(data="freesolv"))
    assert records.targets == [Target("expt", "kcal/mol")]
