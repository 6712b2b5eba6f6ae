"""Rows of two structures, a solute and its solvent: merged, split, learned, predicted together."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from molecule_family import FAMILY
from rdkit import Chem
from rdkit.Chem import Crippen

import matexapps as mx
from matexapps.apps.molecules.analysis.attribution import atom_contributions
from matexapps.apps.molecules.data.components import join_structures, split_structures
from matexapps.apps.molecules.data.molecule_set import merge, standardize_records
from matexapps.apps.molecules.data.reader import read_records
from matexapps.apps.molecules.domain import MOLECULES
from matexapps.apps.molecules.featurizers.rows import featurize_rows, row_features
from matexapps.apps.molecules.networks.architecture import NETWORKS, Architecture
from matexapps.apps.molecules.networks.network import MoleculeNetwork
from matexapps.apps.molecules.splits.structures import scaffold
from matexapps.errors import DataError
from matexapps.experiment.model.model import Model
from matexapps.experiment.ranks import Ranks

SOLVENTS = ("O", "CCCCCC", "CCO")
PAIRS = [
    join_structures([structure, solvent])
    for structure in ("c1ccccc1O", "C", "CC(C)N")
    for solvent in SOLVENTS
]


def test_rows_are_merged_by_both_structures_and_the_bad_one_is_named(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text(
        "solute,solvent,logS\nCCO,O,1\nOCC,[OH2],2\nO,CCO,3\nbad(,CC,4\nCCN.Cl,nonsense,5\n,,6\n"
    )
    records = read_records(path, smiles_columns=["solute", "solvent"])
    merged = merge(records, standardize_records(records, Ranks.single()))
    assert merged.smiles == ["CCO + O", "O + CCO"]
    assert merged.rows == [(1, 2), (3,)]
    assert merged.values.ravel().tolist() == [1.5, 3.0]
    assert [rejected.reason for rejected in merged.rejected] == [
        "solute: not a SMILES",
        "solvent: not a SMILES",
        "solute: blank; solvent: blank",
    ]
    assert merged.rejected[0].smiles == "bad( + CC"


@pytest.mark.parametrize("name", list(NETWORKS))
def test_a_row_s_encoders_read_its_structures_one_each(name):
    architecture = Architecture(name, targets=1, components=2, width=16, head=12)
    network = MoleculeNetwork(architecture, seed=3)
    features = featurize_rows(PAIRS, PAIRS, 2, architecture.features, Ranks.single())
    network.set_features(features, len(PAIRS))
    network.adapt(np.arange(len(PAIRS)), np.arange(len(PAIRS), dtype=float)[:, None])
    network.eval()
    numbers = torch.arange(len(PAIRS))
    with torch.no_grad():
        together = network(numbers[:, None].float())
        alone = torch.cat([network(number.reshape(1, 1).float()) for number in numbers])
        # The structures of a row one after the other, in networks of one structure, side by side.
        inputs = []
        for position in range(2):
            structures = [split_structures(pair)[position] for pair in PAIRS]
            single = MoleculeNetwork(Architecture(name, targets=1, width=16, head=12), seed=9)
            single.set_features(
                featurize_rows(structures, structures, 1, architecture.features, Ranks.single()),
                len(PAIRS),
            )
            single.adapt(np.arange(len(PAIRS)), np.arange(len(PAIRS), dtype=float)[:, None])
            inputs.append(single.inputs(numbers))
        expected = []
        for member, features in zip(network.members, architecture.ensemble, strict=True):
            encoded = [
                member.encoders[feature if position == 0 else f"{feature}_2"](
                    inputs[position][feature]
                )
                for position in range(2)
                for feature in features
            ]
            expected.append(member.head(member.hidden(torch.cat(encoded, 1))))
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(together, torch.stack(expected, 1), rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """A table whose values depend on both structures, and on their order."""
    path = tmp_path_factory.mktemp("pairs") / "pairs.csv"
    lines = ["solute,solvent,transfer"]
    for number, smiles in enumerate(FAMILY):
        value = Crippen.MolLogP(Chem.MolFromSmiles(smiles)) - 3 * (number % 3)
        lines.append(f"{smiles},{SOLVENTS[number % 3]},{value:.3f}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_study_of_pairs_from_the_table_to_predictions(pairs, tmp_path):
    study = mx.molecules.train(
        data=str(pairs), smiles_columns=["solute", "solvent"], compare_random=False,
        network="fingerprint", validation=0.15, test=0.2, members=1, epochs=15,
    )  # fmt: skip
    (judged,) = study.results
    smiles = study.prepared.molecules.smiles
    cores = [
        {scaffold(split_structures(smiles[i])[0]) for i in part}
        for part in (judged.split.train, judged.split.test)
    ]
    assert not cores[0] & cores[1]  # though the solvents are the same
    figures = study.summary()["splits"]["scaffold"]["targets"]["transfer"]
    assert figures["rmse"] < 0.6 * figures["baselines"]["mean"]["rmse"]
    assert figures["baselines"]["random_forest"]["rmse"] < figures["baselines"]["mean"]["rmse"]

    study.model.save(tmp_path / "model")
    again = Model.load(tmp_path / "model", MOLECULES)
    library = tmp_path / "library.csv"
    library.write_text("name,solvent,solute\na,O,CCc1ccccc1\nb,CCO,CCc1ccccc1\nc,bad(,C\n")
    table = again.predict(library).astype(object).fillna("")
    water, ethanol, bad = table.to_dict("records")
    assert (ethanol["solute"], ethanol["solvent"]) == ("CCc1ccccc1", "CCO")
    assert float(water["transfer"]) > float(ethanol["transfer"]) + 2
    assert len(split_structures(water["nearest"])) == 2
    assert (bad["transfer"], bad["error"]) == ("", "solvent: not a SMILES")
    by_hand = again.predict(["CCc1ccccc1 + O", "CCc1ccccc1 + bad("])
    assert by_hand["transfer"].iloc[0] == pytest.approx(float(water["transfer"]), rel=1e-4)
    assert by_hand["error"].iloc[1] == "solvent: not a SMILES"
    assert atom_contributions(again, "CCO + O").shape == (4, 1)
    with pytest.raises(DataError, match=r"from 2 structures a row \(solute, solvent\)"):
        again.predict(library, smiles_columns=["solute"])
    (tmp_path / "library.smi").write_text("CCO\n")
    with pytest.raises(DataError, match="has one structure a row, and 2 are needed"):
        again.predict(tmp_path / "library.smi")


def test_features_of_fixed_width_stand_side_by_side():
    features = featurize_rows(PAIRS, PAIRS, 2, ["fingerprint"], Ranks.single())
    assert len(features["fingerprint"]) == 6  # each different structure once
    joined = row_features(features, "fingerprint")
    for row, pair in zip(joined, PAIRS, strict=True):
        first, second = (
            featurize_rows([text], [text], 1, ["fingerprint"], Ranks.single())["fingerprint"][0]
            for text in split_structures(pair)
        )
        np.testing.assert_array_equal(row, np.concatenate([first, second]))
