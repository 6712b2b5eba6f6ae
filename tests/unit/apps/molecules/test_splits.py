"""Splits keep what is alike together, and the audit finds what they let through."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem
from rdkit.ML.Cluster import Butina

from matexapps.apps.molecules.featurizers.fingerprints import MorganCounts
from matexapps.apps.molecules.settings import check_split
from matexapps.apps.molecules.splits.leakage import audit
from matexapps.apps.molecules.splits.similarity import nearest, similarities
from matexapps.apps.molecules.splits.split import (
    column_split,
    group_split,
    in_multiple_parts,
    time_split,
)
from matexapps.apps.molecules.splits.structures import butina, scaffold
from matexapps.errors import DataError
from matexapps.experiment.splitting import PARTS, Split, make_split

CORES = (
    *("c1ccccc1", "c1ccncc1", "C1CCCCC1", "c1ccc2ccccc2c1", "C1CCNCC1", "c1ccsc1"),
    *("c1ccoc1", "C1CC1", "C1CCC1", "C1CCCC1", "c1ncc[nH]1", "C1COCCN1"),
)
SMILES = [chain + core for core in CORES for chain in ("CCCC", "OCC", "N#CC")]


def fingerprints(smiles=SMILES):
    of = MorganCounts()
    return np.concatenate([of.compute(Chem.MolFromSmiles(text))["fingerprint"] for text in smiles])


def assert_each_once(split: Split, molecules: int) -> None:
    together = np.concatenate([getattr(split, part) for part in PARTS])
    assert sorted(together.tolist()) == list(range(molecules))


@pytest.mark.parametrize(
    "make",
    [
        lambda seed: make_split("random", len(SMILES), 0.25, 0.25, seed),
        lambda seed: group_split(list(map(scaffold, SMILES)), 0.25, 0.25, seed),
        lambda seed: group_split(butina(fingerprints()).tolist(), 0.25, 0.25, seed),
    ],
)
def test_every_molecule_is_in_one_part_and_the_seed_decides(make):
    first, again, other = make(1), make(1), make(2)
    assert_each_once(first, len(SMILES))
    assert first.train.tolist() == again.train.tolist()
    assert first.validation.tolist() != other.validation.tolist()


def test_scaffolds_stay_together():
    split = group_split(list(map(scaffold, SMILES)), 0.25, 0.25, seed=0)
    of_part = [{scaffold(SMILES[i]) for i in getattr(split, part)} for part in PARTS]
    assert not of_part[0] & of_part[1]
    assert not of_part[0] & of_part[2]
    assert not of_part[1] & of_part[2]
    assert scaffold("C[C@H](O)c1ccccc1CC2CC2") == "c1ccc(CC2CC2)cc1"


def test_few_large_groups_leave_no_part_empty():
    split = group_split([i // 7 for i in range(31)], 0.1, 0.1, seed=0)
    assert_each_once(split, 31)


def test_large_groups_train_and_parts_come_close_to_their_shares():
    groups = ["large"] * 60 + [f"small {i}" for i in range(40)]
    split = group_split(groups, 0.1, 0.1, seed=3)
    assert set(range(60)) <= set(split.train.tolist())
    assert [len(getattr(split, part)) for part in PARTS] == [80, 10, 10]


def test_similarity_is_the_share_of_counted_environments():
    smiles = ["CCCCCC", "C" * 30, "CCCCCO", "c1ccccc1"]
    counts = fingerprints(smiles)

    def features(row):
        return {(i, k) for i in np.flatnonzero(row) for k in range(5) if row[i] >= 2**k}

    (first, matrix), *more = similarities(counts, counts[::-1])
    assert (first, more) == (0, [])
    for i, count in enumerate(counts):
        for j, other in enumerate(counts[::-1]):
            common, either = features(count) & features(other), features(count) | features(other)
            assert matrix[i, j] == pytest.approx(len(common) / len(either))
    assert matrix[0, 2] < 0.7  # hexane and a wax, which bits without counts hold for alike
    places, similarity = nearest(counts, counts[::-1], 2)
    assert places[:, 0].tolist() == [3, 2, 1, 0]
    np.testing.assert_array_equal(similarity[:, 0], 1.0)
    np.testing.assert_array_equal(similarity[:, 1], np.sort(matrix, 1)[:, -2])


def test_butina_is_that_of_rdkit():
    bits = fingerprints()
    distances = 1 - next(similarities(bits, bits))[1]
    below = distances[np.tril_indices(len(bits), -1)]
    expected = Butina.ClusterData(below.tolist(), len(bits), 0.65, isDistData=True)
    clusters = butina(bits, similarity=0.35)
    # Which of two centers with equally many neighbors comes first is left open.
    assert len(set(clusters.tolist())) == pytest.approx(len(expected), abs=2)
    assert np.bincount(clusters).max() == max(map(len, expected))


def test_time_trains_on_the_oldest_whatever_the_notation():
    years = ["2003", "1999", "2010", "2001", "2020", "1990", "2015", "2005"]
    split = time_split([[year] for year in years], 0.25, 0.25)
    assert {years[i] for i in split.test} == {"2015", "2020"}
    assert {years[i] for i in split.validation} == {"2005", "2010"}
    dates = [[year if year == "1999" else f"{year}-03-01"] for year in years]
    assert time_split(dates, 0.25, 0.25).test.tolist() == split.test.tolist()


def test_the_earliest_time_of_a_molecule_counts_and_without_one_it_is_in_no_part():
    times = [("2001", "2020"), ("", "nan"), ("2003",), ("2002", ""), (None,), ("2004",)]
    split = time_split(times, 0.25, 0.25)
    assert (split.train.tolist(), split.validation.tolist(), split.test.tolist()) == (
        [0, 3],
        [2],
        [5],
    )


@pytest.mark.parametrize("strange", ["soon", "01/02/2020", "20200101"])
def test_what_is_no_time_is_named(strange):
    with pytest.raises(DataError, match=f"numbers or of dates like 2024-03-31.*'{strange}'"):
        time_split([["2019-05-01"], [strange], ["2021-01-01"]], 0.3, 0.3)


def test_a_column_names_the_parts():
    split = column_split([["train"], ["Test"], ["valid"], ["train", "test"], ["unused"]])
    assert in_multiple_parts([["train"], ["Test"], ["valid"], ["train", "test"], ["unused"]]) == [3]
    assert (split.train.tolist(), split.validation.tolist(), split.test.tolist()) == (
        [0, 3],
        [2],
        [1],
    )
    with pytest.raises(DataError, match="must say train"):
        column_split([["a"], ["b"]])
    with pytest.raises(DataError, match="no rows in the test part"):
        column_split([["train"], ["valid"]])


def test_the_audit_finds_relatives():
    smiles = ["CCO", "CCCO", "c1ccccc1", "C[C@H](N)C(=O)O", "CCO", "C[C@@H](N)C(=O)O", "c1ccsc1"]
    keys = [Chem.MolToInchiKey(Chem.MolFromSmiles(text)) for text in smiles]
    overlap = audit(keys, fingerprints(smiles), np.arange(4), np.arange(4, 7))
    assert overlap.identical == [keys[4]]
    assert overlap.same_skeleton == 2
    assert overlap.near == 1
    assert overlap.test == 3
    assert overlap.near_pairs == [(4, 0, 1.0)]


def test_unknown_splits_and_shares_are_refused():
    with pytest.raises(DataError, match="did you mean 'scaffold'"):
        check_split("scafold", 0.1, 0.1)
    with pytest.raises(DataError, match="leave a share"):
        check_split("random", 0.5, 0.5)
