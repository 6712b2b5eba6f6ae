"""From a file to different molecules: columns, standard forms, duplicates, rejected rows."""

from __future__ import annotations

import gzip
import math

import numpy as np
import pandas as pd
import pytest
from rdkit import Chem

from matexapps.apps.molecules.data.molecule_set import merge, standardize_records
from matexapps.apps.molecules.data.reader import read_library, read_records
from matexapps.apps.molecules.data.standardize import Rejected, standardize
from matexapps.apps.molecules.data.targets import Target
from matexapps.data.convert import convert
from matexapps.data.overview.overview import overview
from matexapps.data.schema.schema import Schema
from matexapps.data.sources.formats import open_reader
from matexapps.errors import DataError
from matexapps.experiment.ranks import Ranks


def molecules_of(path, **columns):
    records = read_records(path, **columns)
    return merge(records, standardize_records(records, Ranks.single()))


@pytest.mark.parametrize(
    ("given", "standard"),
    [
        ("c1ccccc1C(=O)[O-].[Na+]", "O=C(O)c1ccccc1"),  # salt and charge
        ("C[N+](C)(C)CC.[Cl-]", "CC[N+](C)(C)C"),  # a charge that no proton can take away
        ("O.CCN.O", "CCN"),
        ("C[C@@H](N)C(=O)[O-]", "C[C@@H](N)C(=O)O"),  # stereo stays
        ("[2H]C([2H])[2H]", "[2H]C([2H])[2H]"),  # isotopes stay
        ("CN(=O)=O", "C[N+](=O)[O-]"),  # one notation
        ("C", "C"),
        ("O=c1cccc[nH]1", "O=c1cccc[nH]1"),  # the tautomer stays as drawn
        ("[NH3+]CC(=O)[O-]", "NCC(=O)O"),  # a zwitterion that protons can undo
        ("C[N+](C)(C)CC(=O)[O-]", "C[N+](C)(C)CC(=O)[O-]"),  # and one that they cannot
        ("[O-][n+]1ccccc1", "[O-][n+]1ccccc1"),
        ("[O-]c1c[n+](C)no1", "C[n+]1cc([O-])on1"),  # mesoionic
        ("[NH2+]=C1[CH-]C(=O)C=CN1", "N=C1CC(=O)C=CN1"),  # aromatic only while charged
        ("C[NH+]1C=Nc2c1c(=O)n(C)c(=O)n2C", "Cn1c(=O)c2c(ncn2C)n(C)c1=O"),  # only when not
        ("CC#N.F[P-](F)(F)(F)(F)F.[Cu+]", "CC#N"),  # organic before large
    ],
)
def test_standard_forms(given, standard):
    assert standardize(given).smiles == standard
    assert standardize(standard).inchikey == standardize(given).inchikey


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "blank"),
        ("C(", "not a SMILES"),
        ("hello", "not a SMILES"),
        ("C(C)(C)(C)(C)C", "valence"),
        ("c1cccc1", "kekulize"),
        ("*CC", "dummy atoms"),
        ("[Na+].[Cl-]", "none of which holds carbon"),
        ("F[P-](F)(F)(F)(F)F", "cannot be standardized: .*valence"),
    ],
)
def test_reasons_of_rejection(text, reason, capfd):
    with pytest.raises(Rejected, match=reason):
        standardize(text)
    assert capfd.readouterr().err == ""  # RDKit's own log is quiet


def test_duplicates_are_merged_by_inchikey_and_conflicts_told(tmp_path):
    path = tmp_path / "values.csv"
    path.write_text(
        "smiles,logS (log mol/L),boiling point [K]\n"
        "CCO,1.0,351\n"
        "broken(,2.0,\n"
        "OCC,3.0,\n"
        "c1ccccc1,-1.5,353\n"
        "OCC,1.5,351.2\n"
        ",5,5\n"
    )
    molecules = molecules_of(path)
    assert molecules.smiles == ["CCO", "c1ccccc1"]
    assert molecules.rows == [(1, 3, 5), (4,)]
    assert molecules.targets == [Target("logS", "log mol/L"), Target("boiling point", "K")]
    np.testing.assert_allclose(molecules.values, [[1.5, 351.1], [-1.5, 353.0]])
    assert [(rejected.row, rejected.reason) for rejected in molecules.rejected] == [
        (2, "not a SMILES"),
        (6, "blank"),
    ]
    (conflict,) = molecules.conflicts
    assert conflict.rows == (1, 3, 5)
    assert str(conflict).endswith("logS (log mol/L): 1 (row 1), 3 (row 3), 1.5 (row 5)")


def test_columns_are_chosen_by_name_and_blank_is_missing(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(
        "id,structure_text,a (K),b,year\n7,CCO, ,2,1999\n8,CCN,NA,3,2001\n9,CC,1,,2003\n"
    )
    records = read_records(
        path, smiles_columns="structure_text", target_columns=["b", "a"], part_column="year"
    )
    assert [str(target) for target in records.targets] == ["b", "a (K)"]
    np.testing.assert_array_equal(records.values, [[2, np.nan], [3, np.nan], [np.nan, 1]])
    assert records.part_key.tolist() == ["1999", "2001", "2003"]
    unnamed = read_records(path, smiles_columns="structure_text", part_column="year")
    assert [str(target) for target in unnamed.targets] == ["a (K)", "b"]


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("smiles,a\nCC,1\nCCC,x1\n", {"target_columns": ["a"]}, "row 2, column 'a': 'x1'"),
        ("smiles,a\nCC,inf\n", {"target_columns": ["a"]}, "row 1, column 'a': 'inf'"),
        ("smile_text,a\nCC,1\n", {}, "no column called 'smiles'"),
        ("smiles,solubility\nCC,1\n", {"target_columns": ["solubilty"]}, "did you mean"),
        ("smiles,a\nC,1\n", {"smiles_columns": ["smiles", "smiles"]}, "once"),
        ("smiles,a,a\nC,1,2\n", {}, "2 columns called 'a'"),
        ("smiles,smiles,a\nC,CC,2\n", {}, "2 columns called 'smiles'"),
        ("smiles,a (K),a (C)\nC,1,2\n", {"target_columns": ["a"]}, "several columns 'a'"),
        ("smiles,a\nCC,1,\nCCC,2,\n", {}, "row 1: expected 2 cells.*got 3"),
        ("smiles,a\n", {}, "has no rows"),
        ("smiles,a\nxx,1\n", {}, "none of 1 rows gives a molecule; row 1: 'xx': not a SMILES"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path, text, columns, message):
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        molecules_of(path, **columns)


def test_every_format_gives_the_same_molecules(tmp_path):
    smiles, values = ["CCO", "c1ccccc1O", "C[C@H](N)C(=O)O"], [1.5, np.nan, -2.0]
    frame = pd.DataFrame({"smiles": smiles, "logS": values})
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_csv(tmp_path / "a.tsv.gz", sep="\t", index=False)
    frame.to_parquet(tmp_path / "a.parquet")
    with Chem.SDWriter(str(tmp_path / "a.sdf")) as writer:
        for text, value in zip(smiles, values, strict=True):
            molecule = Chem.MolFromSmiles(text)
            if not np.isnan(value):
                molecule.SetProp("logS", str(value))
            writer.write(molecule)
    (tmp_path / "b.sdf.gz").write_bytes(gzip.compress((tmp_path / "a.sdf").read_bytes()))
    (tmp_path / "b.csv").write_bytes(b"\xef\xbb\xbf" + (tmp_path / "a.csv").read_bytes())
    expected = molecules_of(tmp_path / "a.csv")
    for name in ("a.tsv.gz", "a.parquet", "a.sdf", "b.sdf.gz", "b.csv"):
        molecules = molecules_of(tmp_path / name)
        assert molecules.smiles == expected.smiles
        np.testing.assert_array_equal(molecules.values, expected.values)
        (piece,) = read_library(tmp_path / name, None, 4)
        assert [standardize(*row.structures).smiles for row in piece] == expected.smiles
    (tmp_path / "a.smi").write_text("CCO ethanol\n\nc1ccccc1O phenol\n")
    library = read_records(tmp_path / "a.smi")
    assert library.smiles == ["CCO", "", "c1ccccc1O"]


def test_a_library_s_rows_keep_their_names(tmp_path):
    expected = [("ethanol 1", ("CCO",)), ("", ("CC",)), ("7", ("CCN",))]
    (tmp_path / "a.smi").write_text("CCO ethanol 1\nCC\nCCN\t7\n")
    frame = pd.DataFrame({"smiles": ["CCO", "CC", "CCN"], "ID": ["ethanol 1", None, "7"]})
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_parquet(tmp_path / "a.parquet")
    with Chem.SDWriter(str(tmp_path / "a.sdf")) as writer:
        for name, (smiles,) in expected:
            molecule = Chem.MolFromSmiles(smiles)
            molecule.SetProp("_Name", name)
            writer.write(molecule)
    for name in ("a.smi", "a.csv", "a.parquet", "a.sdf"):
        assert list(read_library(tmp_path / name, None, 2)) == [expected[:2], expected[2:]]


def test_a_header_of_a_smiles_file_is_no_row(tmp_path):
    path = tmp_path / "a.smi"
    for header in ("smiles", "SMILES Name", "canonical_smiles\tid"):
        path.write_text(f"\ufeff{header}\nCCO ethanol\nsmiles\n")
        assert read_records(path).smiles == ["CCO", "smiles"]
        assert list(read_library(path, None, 9)) == [[("ethanol", ("CCO",)), ("", ("smiles",))]]


def test_dates_are_no_numbers_to_learn(tmp_path):
    days = pd.to_datetime(["2020-01-01", None])
    frame = pd.DataFrame({"smiles": ["CCO", "CC"], "measured": days, "logS": [1.0, 2.0]})
    frame.to_parquet(tmp_path / "a.parquet")
    assert read_records(tmp_path / "a.parquet").targets == [Target("logS")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"CCO,ethanol\nCCN,amine\n", "no header.*'CCO' there is a molecule"),
        ("a.csv", b"smiles;logS\nCCO;1,5\n", "separated by ';'"),
        ("a.csv", b"", "is empty"),
        ("a.csv", b'smiles,logS\n"CCO,1\nCC,2\n', "cannot be read"),  # the quote swallows rows
        ("a.csv.gz", gzip.compress(b"smiles\n" + b"CCO\n" * 9999)[:40], "ended before"),
        ("a.sdf.gz", gzip.compress(b"CCO\n" * 9999)[:40], "ended before"),
        ("a.sdf.gz", b"not compressed", "Not a gzipped file"),
        ("a.parquet", b"PAR1PAR1", "Parquet"),
    ],
)
def test_damaged_files_are_refused_by_training_and_by_prediction(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_records(path)
    with pytest.raises(DataError, match=message):
        list(read_library(path, None, 4))


def test_text_of_another_encoding_is_named(tmp_path):
    (tmp_path / "a.csv").write_bytes("smiles,mp (°C)\nCCO,1\n".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8 text"):
        read_records(tmp_path / "a.csv")


def test_a_damaged_entry_of_an_sdf_keeps_its_row(tmp_path):
    blocks = [Chem.MolToMolBlock(Chem.MolFromSmiles(text)) for text in ("CCO", "CCC", "CCN")]
    blocks[1] = blocks[1].replace("V2000", "V9999")
    path = tmp_path / "library.sdf"
    path.write_text("".join(f"{block}> <a>\n{i}\n\n$$$$\n" for i, block in enumerate(blocks)))
    molecules = molecules_of(path)
    assert molecules.smiles == ["CCO", "CCN"]
    assert [rejected.row for rejected in molecules.rejected] == [2]
    assert molecules.rows == [(1,), (3,)]


def test_the_data_layer_reads_sdf_and_smiles_files_too(tmp_path):
    smiles = ["CCO", "CCC", "CCN", "c1ccccc1"]
    with Chem.SDWriter(str(tmp_path / "a.sdf")) as writer:
        for i, text in enumerate(smiles):
            molecule = Chem.MolFromSmiles(text)
            molecule.SetProp("logS", str(i / 2))
            molecule.SetProp("active", str(i % 2))
            if i:
                molecule.SetProp("charge", str(-i))
            writer.write(molecule)
    (tmp_path / "b.sdf.gz").write_bytes(gzip.compress((tmp_path / "a.sdf").read_bytes()))
    for name in ("a.sdf", "b.sdf.gz"):
        schema = Schema(features=["logS", "charge"], label="active", missing=math.nan)
        rows = open_reader(tmp_path / name, schema).read()
        np.testing.assert_array_equal(rows.features[:, 0], [0, 0.5, 1, 1.5])
        np.testing.assert_array_equal(rows.features[:, 1], [np.nan, -1, -2, -3])
        assert rows.label.tolist() == [0, 1, 0, 1]
    convert(tmp_path / "a.sdf", tmp_path / "a.csv")
    table = pd.read_csv(tmp_path / "a.csv")
    assert table.columns.tolist() == ["structure", "_Name", "logS", "active", "charge"]
    assert table["structure"].tolist() == smiles
    (tmp_path / "c.smi").write_text("CCO ethanol\nCC\n")
    facts = overview(tmp_path / "c.smi")
    assert (facts.format, facts.rows) == ("SMILES", 2)
    assert [column.name for column in facts.columns] == ["smiles", "name"]
