"""One set of rows in every layout that is met in practice."""

from __future__ import annotations

import h5py
import numpy as np
import pandas as pd
import pytest

from matexapps.apps.higgs.data import balance_classes, canonical_name, load_higgs
from matexapps.apps.higgs.schema import COLUMNS, FEATURES
from matexapps.data.catalog import catalog
from matexapps.data.rows import Rows
from matexapps.errors import DataError

ROWS = 60


@pytest.fixture
def table() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(rng.normal(size=(ROWS, 28)).round(3), columns=list(FEATURES))
    frame.insert(0, "label", np.arange(ROWS) % 2)
    return frame


def write_uci(frame, path):
    frame.to_csv(path, header=False, index=False, float_format="%.18e")


def write_tsv(frame, path):
    frame.to_csv(path, header=False, index=False, sep="\t")


def write_shuffled(frame, path):
    order = np.random.default_rng(0).permutation(len(frame.columns))
    named = frame.iloc[:, order].rename(columns=lambda c: c.replace("_b_tag", " b-tag"))
    named.insert(3, "run number", 7)
    named.to_csv(path, index=False)


def write_hdf5(frame, path):
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=frame.to_numpy(dtype=np.float32))
        file["data"].attrs["columns"] = list(frame.columns)


def write_nameless_hdf5(frame, path):
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=frame.to_numpy(dtype=np.float32))


LAYOUTS = {
    "uci.csv": write_uci,
    "uci.csv.gz": write_uci,
    "uci.tsv": write_tsv,
    "named.csv": write_shuffled,
    "named.csv.gz": write_shuffled,
    "table.h5": write_hdf5,
    "nameless.h5": write_nameless_hdf5,
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_gives_the_same_rows(table, tmp_path, name):
    path = tmp_path / name
    LAYOUTS[name](table, path)
    data = load_higgs(path, test=0.0, validation=0.0)
    assert [canonical_name(column) for column in data.columns] == list(FEATURES)
    np.testing.assert_allclose(data.train.features, table[list(FEATURES)], rtol=1e-6)
    np.testing.assert_array_equal(data.train.label, table["label"])


def test_a_file_of_its_own_for_the_test(table, tmp_path):
    write_uci(table, tmp_path / "a.csv")
    write_uci(table.iloc[:10], tmp_path / "b.csv")
    data = load_higgs(tmp_path / "a.csv", tmp_path / "b.csv", validation=0.1)
    assert (len(data.train), len(data.validation), len(data.test)) == (54, 6, 10)


def test_other_columns_with_a_label_are_taken_as_they_stand(tmp_path):
    frame = pd.DataFrame({"x": np.arange(20.0), "Label": np.arange(20) % 2, "y": 1.5})
    frame.to_csv(tmp_path / "other.csv", index=False)
    data = load_higgs(tmp_path / "other.csv", test=0.25)
    assert data.columns == ["x", "y"]
    assert len(data.test) == 5


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda frame: frame.assign(label=2), "neither 0 nor 1|is 2"),
        (lambda frame: frame.assign(label=1), "one class|only"),
        (lambda frame: frame.iloc[:, :20], "columns"),
    ],
)
def test_files_that_cannot_be_used_say_why(table, tmp_path, change, word):
    write_uci(change(table), tmp_path / "broken.csv")
    with pytest.raises(DataError, match=word):
        load_higgs(tmp_path / "broken.csv").load()


def challenge(rows: int = 40) -> pd.DataFrame:
    """Rows as in the ATLAS challenge's file."""
    rng = np.random.default_rng(2)
    features = catalog.entry("atlas-higgs-challenge-2014-v2").schema.features
    frame = pd.DataFrame(rng.normal(size=(rows, len(features))), columns=list(features))
    frame.loc[::3, "DER_mass_MMC"] = -999.0
    frame.insert(0, "EventId", np.arange(100_000, 100_000 + rows))
    frame["Weight"] = rng.uniform(0.001, 5.0, rows)
    frame["Label"] = np.where(np.arange(rows) % 4 == 0, "s", "b")
    frame["KaggleSet"] = np.repeat(["t", "b", "v", "u"], rows // 4)
    frame["KaggleWeight"] = 4 * frame["Weight"]
    return frame


def test_the_challenge_is_split_as_it_was(tmp_path):
    frame = challenge()
    frame.to_csv(tmp_path / "atlas-higgs-challenge-2014-v2.csv", index=False)
    data = load_higgs(tmp_path / "atlas-higgs-challenge-2014-v2.csv")
    assert len(data.columns) == 30
    assert data.train.ids.tolist() == list(range(10))
    assert data.validation.ids.tolist() == list(range(10, 20))
    assert data.test.ids.tolist() == list(range(20, 30))
    np.testing.assert_array_equal(data.train.label, frame["Label"][:10] == "s")
    np.testing.assert_allclose(data.test.weight, frame["KaggleWeight"][20:30])
    np.testing.assert_array_equal(
        np.isnan(data.train.features[:, 0]), frame["DER_mass_MMC"][:10] == -999.0
    )


def test_the_challenge_without_its_sets_is_split_at_random(tmp_path):
    challenge().drop(columns=["KaggleSet", "KaggleWeight"]).to_csv(
        tmp_path / "training.csv", index=False
    )
    data = load_higgs(tmp_path / "training.csv", test=0.25, validation=0.0)
    assert (len(data.train), len(data.test)) == (30, 10)
    np.testing.assert_allclose(data.train.weight, challenge()["Weight"][data.train.ids])


def test_balanced_classes_weigh_the_same_and_one_on_average():
    label, weight = np.array([1, 0, 0, 0]), np.array([0.01, 10.0, 20.0, 30.0])
    rows = balance_classes(Rows.from_arrays(np.ones((4, 2)), label, weight))
    np.testing.assert_allclose(rows.weight, [2.0, 2 / 6, 4 / 6, 6 / 6])
    plain = Rows.from_arrays(np.ones((4, 2)), label)
    assert balance_classes(plain) is plain


@pytest.mark.parametrize(
    "name", ["jet_1_b_tag", "jet 1 b-tag", "Jet1_bTag", "jet_1_btag", " jet_1_b-tag "]
)
def test_names_of_columns_are_known_in_other_spellings(name):
    assert canonical_name(name) == "jet_1_b_tag"


def test_the_schema_has_the_columns_of_the_uci_file():
    assert len(COLUMNS) == 29
    assert COLUMNS[1:6] == (
        "lepton_pt",
        "lepton_eta",
        "lepton_phi",
        "missing_energy_magnitude",
        "missing_energy_phi",
    )
    assert COLUMNS[-1] == "m_wwbb"
