"""Targets of two classes: scores against scikit-learn, sets that keep their promise, a study."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from molecule_family import FAMILY
from rdkit import Chem
from rdkit.Chem import Crippen
from sklearn import metrics

import matexapps as mx
from matexapps.apps.molecules.data.molecule_set import merge, standardize_records
from matexapps.apps.molecules.data.reader import read_records
from matexapps.apps.molecules.data.targets import Target
from matexapps.apps.molecules.domain import MOLECULES
from matexapps.apps.molecules.prediction import predict_molecules
from matexapps.apps.molecules.report.picture import draw_study
from matexapps.apps.molecules.report.text import as_table
from matexapps.apps.molecules.settings import MoleculeSettings
from matexapps.apps.molecules.tasks.classification_loss import ClassLoss, LogLoss
from matexapps.apps.molecules.tasks.probabilities import (
    Probabilities,
    least_probabilities,
    prediction_sets,
    set_coverage,
)
from matexapps.errors import DataError, TrainingError
from matexapps.experiment.figures import reliability
from matexapps.experiment.model.model import Model
from matexapps.experiment.ranks import Ranks
from matexapps.experiment.statistics.figures_of_merit import FIGURES, figure, gain


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("roc_auc", metrics.roc_auc_score),
        ("average_precision", metrics.average_precision_score),
        ("brier", metrics.brier_score_loss),
    ],
)
def test_scores_are_those_of_scikit_learn_with_ties_and_weights(name, theirs):
    rng = np.random.default_rng(0)
    value = (rng.random(300) < 0.2).astype(float)
    good = np.clip(rng.normal(0.3 + 0.3 * value, 0.2), 0, 1).round(1)
    bad = rng.random(300).round(2)
    weights = rng.integers(0, 4, (3, 300)).astype(float)
    expected = [theirs(value, good, sample_weight=weight) for weight in weights]
    np.testing.assert_allclose(FIGURES[name](value, good)(weights), expected)
    both = np.array([theirs(value, good), theirs(value, bad)])
    gaps = np.append(value, np.nan)
    estimate = figure(name, gaps, np.append(np.stack([good, bad]), [[0.5], [0.5]], 1))
    assert estimate.value == pytest.approx(both.mean())
    assert estimate.low < estimate.value < estimate.high
    better = gain(name, value, good, bad)
    assert better.value == pytest.approx(abs(both[0] - both[1]))
    assert better.low > 0


def test_what_one_class_cannot_tell_is_left_open():
    for name in ("roc_auc", "brier"):
        estimate = figure(name, np.zeros(5), np.linspace(0, 1, 5))
        assert np.isfinite(estimate.value) == (name == "brier")
    mean_probability, true, count = reliability([0, 1, 1], [0.05, 0.97, 1.0])
    np.testing.assert_allclose([mean_probability, true], [[0.05, 0.985], [0, 1]])
    assert count.tolist() == [1, 2]


def test_the_loss_is_the_cross_entropy_of_known_classes():
    values = np.array([[1.0, np.nan], [np.nan, np.nan], [0.0, 1.0]])
    log_odds = torch.tensor([0.5, -1.0])
    rng = np.random.default_rng(1)
    outputs = torch.from_numpy(rng.normal(size=(3, 2, 2, 1))).float().requires_grad_()
    label = torch.arange(3)
    members = torch.sigmoid(outputs[..., 0].detach() + log_odds).double().numpy()
    each = [
        np.mean([metrics.log_loss(values[row, has], m[row, has], labels=[0, 1]) for m in
                 members.transpose(1, 0, 2)]) if has.any() else 0.0
        for row, has in enumerate(np.isfinite(values))
    ]  # fmt: skip
    loss = ClassLoss(values, log_odds)(outputs, label)
    np.testing.assert_allclose(loss.detach(), each, rtol=1e-5)
    (gradient,) = torch.autograd.grad(loss.sum(), outputs)
    assert gradient.isfinite().all()
    assert (gradient[1] == 0).all()
    metric = LogLoss(values, log_odds)
    for rows in (label[:2], label[2:]):
        metric.update(outputs.detach()[rows], rows, None)
    mean = members.mean(1)
    first = metrics.log_loss([1, 0], mean[[0, 2], 0], labels=[0, 1])
    second = metrics.log_loss([1], mean[[2], 1], labels=[0, 1])
    assert metric.compute()["log_loss"] == pytest.approx((first + second) / 2, rel=1e-5)


def test_sets_hold_either_class_as_often_as_they_promise():
    rng = np.random.default_rng(2)

    def draw(count):
        value = (rng.random((count, 1)) < 0.15).astype(float)
        logit = rng.normal(3 * value - 1, 1.0) - 2  # the rare class is said far too seldom
        outputs = logit[:, None, :, None].astype(np.float32)
        return Probabilities.from_outputs(outputs, np.zeros(1)), value

    known, known_values = draw(2000)
    least = least_probabilities(known, known_values)
    new, new_values = draw(40_000)
    held = set_coverage(prediction_sets(new, least), new_values)
    np.testing.assert_allclose(held, [[0.9, 0.9]], atol=0.04)
    few = least_probabilities(known, np.where(np.arange(2000) == 0, 1.0, np.nan)[:, None])
    assert few.tolist() == [[0.0, 0.0]]  # too few to leave a class out of any set


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    """A table of two targets: one of texts that structure decides, one with gaps."""
    path = tmp_path_factory.mktemp("classes") / "classes.csv"
    rows = []
    for number, smiles in enumerate(FAMILY):
        oily = "yes" if Crippen.MolLogP(Chem.MolFromSmiles(smiles)) > 1.6 else "no"
        aromatic = "" if number % 3 else ("yes" if "c1" in smiles else "no")
        rows.append(f"{smiles},{oily},{aromatic}")
    path.write_text("smiles,oily,aromatic\n" + "\n".join(rows) + "\n")
    return path


def test_a_study_of_classes_learns_and_predicts_probabilities(classes, tmp_path):
    study = mx.molecules.train(
        data=str(classes), classes=["no", "yes"], split="random", network="fingerprint",
        validation=0.2, test=0.3, members=2, epochs=12, seeds=2, seed=1,
    )  # fmt: skip
    summary = json.loads(json.dumps(study.summary(), allow_nan=False))
    assert summary["task"] == "classification"
    oily = summary["splits"]["random"]["targets"]["oily"]
    assert oily["classes"] == ["no", "yes"]
    assert oily["roc_auc"] > 0.9
    assert oily["average_precision"] > oily["prevalence"]
    assert set(oily["baselines"]) == {"random_forest", "prevalence"}
    assert oily["baselines"]["prevalence"]["roc_auc"] == 0.5
    assert oily["brier"] < oily["baselines"]["prevalence"]["brier"]
    forest = oily["baselines"]["random_forest"]
    assert forest["network_gain"] == pytest.approx(oily["roc_auc"] - forest["roc_auc"])
    assert "Brier score" in as_table(summary)
    roc = draw_study(study).axes[0]
    assert roc.get_title() == "random split\noily"
    assert [line.get_label().split(",")[0] for line in roc.lines[:3]] == [
        "network", "random forest", "prevalence",
    ]  # fmt: skip

    study.model.save(tmp_path / "model")
    again = Model.load(tmp_path / "model", MOLECULES)
    assert again.task.targets == (
        Target("oily", "", ("no", "yes")),
        Target("aromatic", "", ("no", "yes")),
    )
    library = tmp_path / "library.smi"
    library.write_text("CCc1ccccc1\nbad(\nOCC1CCOCC1\n")
    oil, bad, polar = again.predict(library).astype(object).fillna("").to_dict("records")
    assert bad["oily probability of yes"] == ""
    assert float(oil["oily probability of yes"]) > 0.5 > float(polar["oily probability of yes"])
    prediction = predict_molecules(study.model, ["CCc1ccccc1"])
    assert float(oil["oily probability of yes"]) == pytest.approx(
        prediction.estimates.mean[0, 0], 1e-4
    )
    assert oil["oily set"] in ("", "no", "yes", "no or yes")


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        ("CCO,1,0.5\nCCN,0,2\n", {}, "'a' holds two classes and 'b' numbers, which are learned"),
        ("CCO,no,1\nCCN,maybe,0\n", {"classes": ["no", "yes"], "target_columns": ["a"]},
         "row 2, column 'a': 'maybe' is neither 'no' nor 'yes'"),
        ("CCO,no,1\nCCN,yes,0\n", {"target_columns": ["a"]}, "name both classes"),
        ("CCO,no,1\nCCN,yes,0\n", {"classes": ["n", "y"]}, "no column that holds only 'n' or 'y'"),
    ],
)  # fmt: skip
def test_targets_that_are_not_of_two_classes_are_refused(tmp_path, text, settings, message):
    path = tmp_path / "table.csv"
    path.write_text(f"smiles,a,b\n{text}")
    with pytest.raises(DataError, match=message):
        mx.molecules.train(data=str(path), **settings)
    with pytest.raises(TrainingError, match="two different texts"):
        MoleculeSettings(classes=["yes", "yes"])


def test_labels_of_one_molecule_are_counted_and_a_tie_is_no_label(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("smiles,active\nCCO,1\nOCC,1\nC(C)O,0\nCCN,1\nNCC,0\nCC,0\n")
    records = read_records(path)
    merged = merge(records, standardize_records(records, Ranks.single()))
    assert merged.targets == [Target("active", "", ("0", "1"))]
    np.testing.assert_array_equal(merged.values, [[1], [np.nan], [0]])
    assert [conflict.rows for conflict in merged.conflicts] == [(1, 2, 3), (4, 5)]
