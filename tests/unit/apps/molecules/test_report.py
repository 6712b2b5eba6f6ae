"""Contributions of atoms, cliffs, and pictures."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest
import torch
from molecule_family import FAMILY
from rdkit import Chem
from rdkit.Chem import Descriptors

from matexapps.apps.molecules import report
from matexapps.apps.molecules.analysis.activity_cliffs import activity_cliffs
from matexapps.apps.molecules.analysis.attribution import atom_contributions
from matexapps.apps.molecules.data.targets import Target
from matexapps.apps.molecules.domain import MOLECULES
from matexapps.apps.molecules.featurizers.descriptors import DESCRIPTORS
from matexapps.apps.molecules.featurizers.featurize import featurize
from matexapps.apps.molecules.networks.architecture import Architecture
from matexapps.apps.molecules.networks.network import MoleculeNetwork
from matexapps.apps.molecules.settings import MoleculeSettings
from matexapps.apps.molecules.tasks.registry import task_of
from matexapps.experiment.model.model import Model
from matexapps.experiment.ranks import Ranks

matplotlib.use("Agg")


@pytest.fixture(scope="module")
def mass_model():
    """A model whose weights are set by hand, so that it hands a molecule's mass through."""
    masses = np.array([[Descriptors.MolWt(Chem.MolFromSmiles(smiles))] for smiles in FAMILY])
    features = featurize(FAMILY, FAMILY, ["fingerprint", "descriptors"], Ranks.single())
    network = MoleculeNetwork(Architecture("fingerprint", members=1, width=4, head=4))
    network.set_features(features, len(FAMILY))
    network.adapt(np.arange(len(FAMILY)), masses)
    (member,) = network.members
    column = member.encoders["fingerprint"].outputs + DESCRIPTORS.index("MolWt")
    lift = 10.0  # keeps a scaled mass above zero, where the hidden layer passes it on
    with torch.no_grad():
        for weight in (*member.hidden.parameters(), *member.head.mean.parameters()):
            weight.zero_()
        member.hidden[0].weight[0, column] = member.head.mean.weight[0, 0] = 1.0
        member.hidden[0].bias[0] = lift
        member.head.mean.bias[0] = -lift
    return Model(
        domain=MOLECULES,
        network=network,
        task=task_of([Target("mass", "g/mol")], masses),
        calibration=np.ones(1),
        settings=MoleculeSettings(),
        architecture={},
        facts={"training_smiles": FAMILY, "smiles_columns": ["smiles"]},
        arrays={"fingerprints": features["fingerprint"], "values": masses},
    )


def test_an_atom_contributes_what_is_lost_without_it(mass_model):
    by_atom = atom_contributions(mass_model, "OCCc1ccccc1Cl")[:, 0]
    hydrogen = 1.008
    assert by_atom[0] == pytest.approx(16.0 + hydrogen - hydrogen, abs=0.01)  # OH goes, H comes
    assert by_atom[-1] == pytest.approx(35.45 - hydrogen, abs=0.01)
    assert by_atom[4] == pytest.approx(12.011 + hydrogen - 2 * 1.5 * hydrogen, abs=0.01)  # aromatic
    assert atom_contributions(mass_model, "C").tolist() == [[0.0]]


@pytest.mark.parametrize("smiles", ["C[C@H](N)c1ccc[nH]1", "C[N+](C)(C)C", "C1CC1=O", "C/C=C/Cl"])
def test_every_atom_of_a_real_model_s_molecule_gets_a_number(study, smiles):
    contributions = atom_contributions(study.model, smiles)
    assert contributions.shape == (Chem.MolFromSmiles(smiles).GetNumAtoms(), 2)
    assert np.isfinite(contributions).all()
    assert (contributions != 0).any()


def test_cliffs_are_pairs_that_are_alike_with_values_that_are_not():
    smiles = ["CCCCCCO", "CCCCCCCO", "c1ccccc1", "CCCCCCCCO", "OCCCCCCCCO"]
    bits = featurize(smiles, smiles, ["fingerprint"], Ranks.single())["fingerprint"]
    values = np.array([1.0, 5.0, 100.0, 1.5, np.nan])
    cliffs = activity_cliffs(smiles, bits, values)
    assert (cliffs["similarity"] >= 0.7).all()
    assert {cliffs["molecule"][0], cliffs["neighbor"][0]} == {"CCCCCCO", "CCCCCCCO"}
    assert cliffs["difference"].tolist() == sorted(cliffs["difference"], reverse=True)
    assert "c1ccccc1" not in {*cliffs["molecule"], *cliffs["neighbor"]}
    assert "OCCCCCCCCO" not in {*cliffs["molecule"], *cliffs["neighbor"]}
    expected = cliffs["difference"] / (1 - cliffs["similarity"])
    np.testing.assert_allclose(cliffs["steepness"], expected, rtol=1e-5)


def test_pictures_say_what_they_show(study):
    import matplotlib.pyplot as plt

    (judged,) = study.results
    (training,) = judged.trainings
    values = judged.test.values
    known = study.prepared.molecules.values[judged.split.validation]
    chosen = (training.validation, known)
    figure, axes = plt.subplots(2, 2)
    target = study.model.task.targets[1]
    report.plot_parity(axes[0, 0], values, training.test, training.calibration, target, index=1)
    assert axes[0, 0].get_xlabel() == "measured size (atoms)"
    assert "RMSE" in axes[0, 0].get_title()
    report.plot_history(axes[0, 1], training.history)
    assert len(axes[0, 1].lines[0].get_xdata()) == len(training.history)
    report.plot_calibration(axes[1, 0], chosen, (training.test, values))
    held = axes[1, 0].lines[0].get_ydata()
    assert 0 <= held.min() <= held.max() <= 1
    error = training.test.mean[:, 0].copy()
    error[0] = np.nan  # not measured
    report.plot_domain(axes[1, 1], np.linspace(0, 1, 14), error, target)
    assert np.isfinite(axes[1, 1].lines[0].get_ydata()).all()
    plt.close(figure)


def test_no_share_of_a_variance_is_explained_where_there_is_none():
    assert np.isnan(report.r_squared([5.0, np.nan], [4.0, 1.0]))
    assert report.r_squared([1.0, 3.0], [1.0, 3.0]) == 1.0


def test_drawings_have_a_place_for_each_molecule():
    grid = report.draw_molecules(["CCO", "c1ccccc1", "C"], ["one", "two", "three"], columns=2)
    assert grid.size == (500, 400)
    colored = report.draw_contributions(["CCO"], [np.array([1.0, 0.0, -1.0])], ["ethanol"])
    colors = {color for _, color in colored.convert("RGB").getcolors(10**6)}
    assert (216, 63, 51) in colors or any(r > 200 and b < 80 for r, _, b in colors)
    assert any(b > 200 and r < 80 for r, _, b in colors)


def test_pictures_of_classes_say_what_they_show():
    import matplotlib.pyplot as plt

    rng = np.random.default_rng(0)
    value = (rng.random(300) < 0.3).astype(float)
    models = {"good": np.clip(0.3 + 0.4 * value, 0, 1), "guess": rng.random(300)}
    figure, (left, middle, right) = plt.subplots(1, 3)
    report.plot_roc(left, value, models)
    areas = [text.get_text() for text in left.get_legend().get_texts()]
    assert areas[0] == "good, 1.000"
    false, true = left.lines[0].get_data()
    assert np.trapezoid(true, false) == pytest.approx(1.0)
    report.plot_precision(middle, value, models)
    assert middle.lines[-1].get_ydata()[0] == pytest.approx(value.mean())
    report.plot_reliability(right, value, models["good"])
    predicted, share = right.lines[1].get_data()
    np.testing.assert_allclose(predicted, [0.3, 0.7])
    assert share.tolist() == [0, 1]
    plt.close(figure)
