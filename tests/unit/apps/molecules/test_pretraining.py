"""What a network is pre-trained to say, and what another begins with."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from matexapps.apps.molecules.data.molecule_set import merge, standardize_records
from matexapps.apps.molecules.data.reader import read_records
from matexapps.apps.molecules.featurizers.descriptors import DESCRIPTORS
from matexapps.apps.molecules.featurizers.featurize import featurize
from matexapps.apps.molecules.networks.architecture import Architecture
from matexapps.apps.molecules.networks.network import MoleculeNetwork
from matexapps.apps.molecules.pretraining.run import run
from matexapps.apps.molecules.pretraining.settings import NETWORKS, PretrainingSettings
from matexapps.apps.molecules.pretraining.targets import LARGEST_DEVIATION, descriptor_targets
from matexapps.apps.molecules.pretraining.transfer import initialize_from
from matexapps.errors import DataError, TrainingError
from matexapps.experiment.ranks import Ranks

SMILES = ["CCO", "c1ccccc1O", "CC(=O)N", "ClC(Cl)Cl"]
SMALL = {"width": 8, "depth": 2, "head": 6}


def test_descriptors_that_vary_are_targets_scaled_on_the_training_rows():
    rng = np.random.default_rng(0)
    table = np.zeros((1000, len(DESCRIPTORS)), np.float32)
    table[:, 0] = rng.normal(10, 2, 1000)
    table[:, 1] = 7.0  # does not vary
    table[:, 2] = np.nan
    table[:, 3] = rng.normal(size=1000)
    table[5, 3], table[900, 3], table[3, 0] = 1e6, -1e9, np.nan
    train = np.arange(800)
    table[800:, 4] = 1.0  # varies, but not among the training rows
    targets, values = descriptor_targets(table, train)
    assert [target.name for target in targets] == [DESCRIPTORS[0], DESCRIPTORS[3]]
    assert np.isnan(values[3, 0])
    assert np.isfinite(values).sum() == 1999
    mean, spread = table[train, 3].mean(dtype=float), table[train, 3].std(dtype=float)
    reach = LARGEST_DEVIATION * spread
    np.testing.assert_allclose(values[[5, 900], 1], [mean + reach, mean - reach])
    np.testing.assert_allclose(values[:800, 0], table[:800, 0])


@pytest.mark.parametrize(
    ("pretrained", "network"),
    [(source, target) for source in NETWORKS for target in NETWORKS[source]],
)
def test_a_network_begins_with_what_another_makes_of_a_structure(pretrained, network):
    trained = MoleculeNetwork(Architecture(pretrained, targets=5, members=1, **SMALL), seed=1)
    new = MoleculeNetwork(Architecture(network, targets=2, members=3, **SMALL), seed=2)
    fresh = {name: value.clone() for name, value in new.state_dict().items()}
    initialize_from(new, trained)
    features = featurize(SMILES, SMILES, new.architecture.features, Ranks.single())
    trained.set_features(features, len(SMILES))
    new.set_features(features, len(SMILES))
    numbers = torch.arange(len(SMILES))
    inputs = new.inputs(numbers)
    if "properties" in inputs:  # its weights for them are its own: without them it must agree
        inputs["properties"] = torch.zeros_like(inputs["properties"])
    source = trained.members[0]
    expected = torch.cat(
        [encoder(trained.inputs(numbers)[name]) for name, encoder in source.encoders.items()], 1
    )
    begun = [
        index
        for index, reads in enumerate(new.architecture.ensemble)
        if trained.architecture.features[0] in reads
    ]
    assert begun == ([0, 2] if network == "combined" else [0, 1, 2])
    for index in begun:
        member = new.members[index]
        encoded = torch.cat([encoder(inputs[name]) for name, encoder in member.encoders.items()], 1)
        torch.testing.assert_close(member.hidden(encoded), source.hidden(expected))
    for name, value in new.state_dict().items():
        own_way = int(name.split(".")[1]) not in begun if name.startswith("members") else True
        if own_way or ".head." in name:
            torch.testing.assert_close(value, fresh[name], rtol=0, atol=0)
    assert not torch.equal(*(new.members[index].head.mean.weight for index in begun[:2]))


def test_each_structure_of_a_row_begins_alike():
    trained = MoleculeNetwork(Architecture("graph", members=1, **SMALL), seed=1)
    new = MoleculeNetwork(Architecture("combined", components=2, members=2, **SMALL), seed=2)
    initialize_from(new, trained)
    state, source = new.members[0].state_dict(), trained.members[0].state_dict()
    for name in ("graph", "graph_2"):
        torch.testing.assert_close(
            state[f"encoders.{name}.passing.message.weight"],
            source["encoders.graph.passing.message.weight"],
        )


def test_networks_that_do_not_fit_are_refused():
    def network(name: str, **sizes: int) -> MoleculeNetwork:
        return MoleculeNetwork(Architecture(name, members=1, **SMALL | sizes))

    with pytest.raises(TrainingError, match="'smiles' network cannot start from a pre-trained 'gr"):
        initialize_from(network("smiles"), network("graph"))
    with pytest.raises(TrainingError, match="has width 8 and this one 16: they must be equal"):
        initialize_from(network("graph", width=16), network("graph"))
    with pytest.raises(TrainingError, match="did you mean 'graph'"):
        PretrainingSettings(out="pre", network="grph")
    with pytest.raises(DataError, match="did you mean 'scaffold'"):
        PretrainingSettings(out="pre", split="scafold")


def test_a_library_without_values_needs_a_task(tmp_path):
    library = tmp_path / "library.smi"
    library.write_text("\n".join(SMILES) + "\n")
    with pytest.raises(DataError, match="name that file with task, or give task='none'"):
        run({"data": str(library), "out": str(tmp_path / "pre")}, Ranks.single())
    with pytest.raises(TrainingError, match="'out' is missing"):
        run({"data": str(library)}, Ranks.single())


def test_structures_alone_are_merged(tmp_path):
    library = tmp_path / "library.smi"
    library.write_text("CCO\nOCC\nbad(\nCC\n")
    records = read_records(library, target_columns=[])
    merged = merge(records, standardize_records(records, Ranks.single()))
    assert merged.smiles == ["CCO", "CC"]
    assert merged.rows == [(1, 2), (4,)]
    assert merged.values.shape == (2, 0)
