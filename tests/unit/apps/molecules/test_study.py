"""A whole experiment on a few molecules, its model's folder, and what intervals promise."""

from __future__ import annotations

import csv
import json
import pickle
import re
from itertools import pairwise

import matplotlib.image
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import matexapps as mx
from matexapps.apps.molecules.analysis.applicability import nearest_training_molecules
from matexapps.apps.molecules.data.molecule_set import merge
from matexapps.apps.molecules.data.noise_floor import noise_floors
from matexapps.apps.molecules.data.records import Records
from matexapps.apps.molecules.data.standardize import Standard
from matexapps.apps.molecules.data.targets import Target
from matexapps.apps.molecules.domain import MOLECULES
from matexapps.apps.molecules.prediction import predict_molecules, training_molecules
from matexapps.apps.molecules.prepared import load_records
from matexapps.apps.molecules.report.learning_curve import curve_results, plot_learning_curve
from matexapps.apps.molecules.report.picture import draw_study
from matexapps.apps.molecules.report.text import as_table
from matexapps.apps.molecules.settings import MoleculeSettings
from matexapps.apps.molecules.tasks.estimates import Estimates, conformal_factor, coverage
from matexapps.errors import DataError, TrainingError
from matexapps.experiment.model.model import Model
from matexapps.experiment.settings import from_plain
from matexapps.experiment.statistics.figures_of_merit import figure, gain

matplotlib.use("Agg")


def test_the_network_beats_the_mean_and_the_summary_is_plain(study):
    summary = json.loads(json.dumps(study.summary()))
    (split,) = summary["splits"].values()
    assert split["rows"] == {"train": 42, "validation": 14, "test": 14, "left_out": 0}
    logp = split["targets"]["logP"]
    assert logp["rmse"] < 0.7 * logp["baselines"]["mean"]["rmse"]
    low, high = logp["baselines"]["mean"]["network_gain_interval"]
    assert low < logp["baselines"]["mean"]["network_gain"] < high
    assert split["targets"]["size"]["unit"] == "atoms"
    assert summary["molecules"] == 70
    assert summary["noise_floor"] == {"logP": None, "size": None}


def test_splits_stand_side_by_side_and_rows_that_were_no_good_are_listed(tmp_path):
    rows = [f"{'C' * (1 + i % 9)}{end},{i}" for i, end in enumerate(["O", "N", "Cl", "F"] * 8)]
    parts = ["train", "train", "valid", "test"]
    lines = [f"{row},{parts[i % 4]}" for i, row in enumerate(rows)]
    lines += [f"bad{i}(,1,train" for i in range(12)] + ["CO,500,test", "CCN.Cl,1,train"]
    (tmp_path / "table.csv").write_text("smiles,y (K),part\n" + "\n".join(lines) + "\n")
    settings = {
        "data": str(tmp_path / "table.csv"), "split": "column", "split_column": "part",
        "network": "fingerprint", "members": 1, "epochs": 1, "out": str(tmp_path / "model"),
    }  # fmt: skip
    study = mx.molecules.train(**settings)
    study.save(tmp_path / "model")
    summary = study.summary()
    text = as_table(summary).splitlines()
    (head,) = (line for line in text if line.startswith("target"))
    assert re.search(r"column split +random split$", head)
    (forest,) = (line for line in text if "random forest" in line)
    for kind in ("column", "random"):
        error = summary["splits"][kind]["targets"]["y"]["baselines"]["random_forest"]["rmse"]
        assert f"{error:.3f}" in forest
    assert sum(line.startswith("  rejected: row") for line in text) == 10
    assert any("and 2 more" in line and "rejected.csv" in line for line in text)
    assert any("500 (row 45)" in line for line in text)
    assert "the tautomer as drawn" in "\n".join(text)
    assert summary["stripped_rows"] == 1
    with open(tmp_path / "model" / "rejected.csv", newline="") as file:
        rejected = list(csv.DictReader(file))
    assert [int(row["row"]) for row in rejected] == list(range(33, 45))
    assert {row["reason"] for row in rejected} == {"not a SMILES"}
    conflicts = (tmp_path / "model" / "conflicts.csv").read_text()
    assert ",y (K),1,0\n" in conflicts
    assert ",y (K),45,500\n" in conflicts
    assert json.loads((tmp_path / "model" / "report.json").read_text()) == summary
    height, width, _ = matplotlib.image.imread(tmp_path / "model" / "report.png").shape
    assert width == 3 * height  # a parity plot of each split, and the course of the training
    Model.load(tmp_path / "model", MOLECULES)


def test_the_picture_has_every_target_on_every_split(study):
    axes = draw_study(study).axes
    assert [axis.get_xlabel() for axis in axes if axis.axison] == [
        "measured logP", "epoch", "measured size (atoms)",
    ]  # fmt: skip
    assert axes[0].get_title().startswith("random split\nRMSE ")


def test_a_model_says_the_same_after_it_was_kept(study, tmp_path):
    model, (result,) = study.model, study.results
    smiles = [study.prepared.molecules.smiles[i] for i in result.split.test]
    model.save(tmp_path / "model")
    model.save(tmp_path / "model")  # again, in place of the first
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    again = Model.load(tmp_path / "model", MOLECULES)
    assert again.task.targets == (Target("logP"), Target("size", "atoms"))
    before, after = predict_molecules(model, smiles), predict_molecules(again, smiles)
    for name in ("mean", "noise", "disagreement"):
        np.testing.assert_array_equal(
            getattr(before.estimates, name), getattr(after.estimates, name)
        )
    np.testing.assert_allclose(before.estimates.mean, result.trainings[0].test.mean, 1e-4)
    np.testing.assert_array_equal(before.regions.low, after.regions.low)
    assert after.nearest == before.nearest
    assert (before.regions.low[:, 0] < before.estimates.mean[:, 0]).all()
    training = training_molecules(model)
    learned = training.smiles[3]
    assert predict_molecules(again, [learned]).nearest == [learned]
    assert predict_molecules(again, [learned]).similarity[0] == 1.0
    beside = nearest_training_molecules(again, [smiles[0], learned], count=2)
    assert beside["molecule"].tolist() == [smiles[0], smiles[0], learned, learned]
    assert beside["neighbor"][0] == before.nearest[0]
    assert beside["similarity"][0] == before.similarity[0] >= beside["similarity"][1]
    assert beside["logP"][2] == training.values[3, 0]


def test_a_study_travels_without_the_features_of_its_molecules(study):
    assert study.prepared.features == {}
    there = pickle.loads(pickle.dumps(study))
    held = dict(there.model.network.named_buffers())
    assert not any(name.startswith("inputs.fingerprint") for name in held)
    pd.testing.assert_frame_equal(there.model.predict(["CCO"]), study.model.predict(["CCO"]))
    assert there.report() == study.report()
    assert there.plot().axes


def test_folders_that_are_no_models_are_refused(study, tmp_path):
    model = study.model
    with pytest.raises(DataError, match="is not a model"):
        Model.load(tmp_path, MOLECULES)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="something else than a model"):
        model.save(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    with pytest.raises(DataError, match="cannot write"):
        model.save(tmp_path / "notes.txt")
    folder = tmp_path / "model"
    model.save(folder)
    model.save(folder)  # in place of the former
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "notes.txt"]
    facts = json.loads((folder / "model.json").read_text())
    facts["facts"]["versions"]["graph"] = 0
    (folder / "model.json").write_text(json.dumps(facts))
    with pytest.raises(DataError, match="version 0 of 'graph'"):
        Model.load(folder, MOLECULES)
    (folder / "model.json").write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        Model.load(folder, MOLECULES)


def test_a_learning_curve_learns_halves_of_halves_and_judges_by_the_same_molecules(table):
    study = mx.molecules.train(
        data=str(table), target_columns=["logP"], split="random", validation=0.2, test=0.2,
        network="fingerprint", members=1, epochs=6, learning_curve=1,
    )  # fmt: skip
    points = curve_results(study.results)
    assert [len(point.split.train) for point in points] == [21, 42]
    assert [len(point.trainings[0].history) for point in points] == [12, 6]
    for point, next_point in pairwise(points):
        assert set(point.split.train) < set(next_point.split.train)
        np.testing.assert_array_equal(point.split.test, next_point.split.test)
    assert len(training_molecules(study.model).smiles) == 42
    summary = json.loads(json.dumps(study.summary()))
    all_molecules = summary["splits"]["random"]["targets"]["logP"]
    curve = summary["learning_curve"]["logP"]
    assert [point["molecules"] for point in curve] == [21, 42]
    assert curve[-1]["rmse"] == all_molecules["rmse"]
    forest = all_molecules["baselines"]["random_forest"]["rmse"]
    first, last = (curve[i]["baselines"]["random_forest"]["rmse"] for i in (0, -1))
    assert last == forest < first
    assert "learning curve of logP, test RMSE" in as_table(summary)
    figure, axes = plt.subplots()
    plot_learning_curve(axes, study)
    assert axes.get_xscale() == axes.get_yscale() == "log"
    drawn = {bars.get_label(): bars.lines[0].get_ydata()[-1] for bars in axes.containers}
    assert drawn["network"] == all_molecules["rmse"]
    assert drawn["random forest"] == forest
    plt.close(figure)


@pytest.mark.parametrize("seed", range(3))
def test_conformal_intervals_hold_what_they_promise_on_new_values(seed):
    rng = np.random.default_rng(seed)

    def draw(count):
        deviation = rng.uniform(0.5, 2, (count, 1))
        estimates = Estimates(rng.normal(0, 3, (count, 1)), 0.6 * deviation, 0.8 * deviation)
        np.testing.assert_allclose(estimates.deviation, deviation)
        # Twice as far off as the estimates say, with heavy tails.
        return estimates, estimates.mean + 2 * deviation * rng.standard_t(3, (count, 1))

    known, known_values = draw(400)
    known_values[::10] = np.nan
    factor = conformal_factor(known, known_values)
    new, new_values = draw(20_000)
    assert 0.86 < coverage(new, factor, new_values)[0] < 0.94
    assert coverage(new, np.ones(1), new_values)[0] < 0.6


def test_few_values_cannot_make_intervals_narrow():
    def factor(*residuals):
        values = np.array(residuals)[:, None]
        estimates = Estimates(np.zeros_like(values), np.ones_like(values), np.zeros_like(values))
        return conformal_factor(estimates, values)[0]

    normal = stats.norm.ppf(0.95)
    assert factor(0.01) == pytest.approx(normal)
    assert factor(*[0.1] * 7, 5.0) == 5.0  # 8 values: (8 + 1) * 0.9 is more than 8
    assert factor(*[0.1] * 9) == 0.1  # 9 are enough


def test_a_target_that_nothing_calibrates_has_no_interval_and_no_coverage(tmp_path):
    rows = [(f"{'C' * i}{end}", i) for i in range(1, 9) for end in ("O", "N", "F", "Cl")]
    lines = ["smiles,a,b (K),part"]
    for index, (smiles, size) in enumerate(rows):
        part = ("train", "train", "valid", "test")[index % 4]
        lines.append(f"{smiles},{size},{'' if part == 'valid' else 300 + size},{part}")
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    study = mx.molecules.train(
        data=str(tmp_path / "table.csv"), split="column", split_column="part", epochs=1,
        network="fingerprint", members=1, compare_random=False,
    )  # fmt: skip
    summary = json.loads(json.dumps(study.summary(), allow_nan=False))
    targets = summary["splits"]["column"]["targets"]
    assert targets["b"]["interval_coverage"] is targets["b"]["interval_width"] is None
    assert summary["splits"]["column"]["calibration_values"] == {"a": 8, "b": 0}
    assert re.search(r"90 % intervals +-$", as_table(summary), re.MULTILINE)
    regions = predict_molecules(study.model, ["CCO"]).regions
    assert np.isfinite(regions.low[0, 0])
    assert np.isnan(regions.low[0, 1])


def test_errors_and_their_differences():
    rng = np.random.default_rng(0)
    value = rng.normal(size=400)
    near, far = value + rng.normal(0, 1, 400), value + rng.normal(0, 2, 400)
    value[0] = np.nan
    error = figure("rmse", value, np.stack([near, near]))
    assert error.value == pytest.approx(np.sqrt(np.nanmean((near - value) ** 2)))
    assert error.low < 1 < error.high
    assert error.high - error.low == pytest.approx(2 * 1.96 / np.sqrt(2 * 400), rel=0.25)
    better = gain("rmse", value, near, far)
    assert better.value == pytest.approx(figure("rmse", value, far).value - error.value)
    assert 0 < better.low < better.value < better.high
    with pytest.raises(DataError, match="one prediction for each row"):
        figure("rmse", value, near[:5])


def test_the_noise_floor_is_the_pooled_deviation_of_repeats():
    values = np.array([[1.0], [3.0], [5.0], [6.0], [np.nan], [9.0]])
    keys = ["a", "a", "b", "b", "b", "c"]
    standards = [Standard("C", key, 1) for key in keys]
    records = Records("here", [("C",)] * 6, values, [Target("y")], np.arange(1, 7))
    (floor,) = noise_floors(records, merge(records, standards))
    assert floor.molecules == 2
    assert floor.deviation == pytest.approx(np.sqrt((1 + 1 + 0.25 + 0.25) / 2))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"network": "combind"}, "did you mean 'combined'"),
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"epoch": 3}, "did you mean 'epochs'"),
        ({"split": "time"}, "need a column"),
        ({"split_column": "year"}, "need a column"),
        ({"recovery": "checkpoint"}, "--checkpoints"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused(given, message):
    with pytest.raises(TrainingError, match=message):
        from_plain(MoleculeSettings, given)


def test_a_table_without_numbers_is_refused(tmp_path):
    path = tmp_path / "names.csv"
    path.write_text("smiles,name\nCCO,ethanol\n")
    with pytest.raises(DataError, match="no column that holds only numbers"):
        mx.molecules.train(data=str(path))


def test_rows_without_a_value_are_left_out_and_a_draw_keeps_its_row_numbers(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(
        "smiles,a,b\n" + "".join(f"C{'C' * i},{i if i % 2 else ''},9\n" for i in range(40))
    )
    settings = MoleculeSettings(data=str(path), target_columns=["a"], molecules=8, seed=4)
    records = load_records(settings)
    assert len(records) == 8
    assert all(row % 2 == 0 for row in records.rows)  # the second row is the first with a value
    assert records.rows.tolist() == sorted(records.rows.tolist())
    np.testing.assert_array_equal(records.values[:, 0] + 1, records.rows)
    assert records.smiles == ["C" * row for row in records.rows]


def test_a_table_and_a_list_in_memory_are_predicted_alike(study):
    smiles = ["CCc1ccccc1", "bad(", "OCC1CCOCC1"]
    listed = study.model.predict(smiles)
    pd.testing.assert_frame_equal(study.model.predict(pd.DataFrame({"SMILES": smiles})), listed)
    assert listed.index.tolist() == [1, 2, 3]
    assert listed["error"].fillna("").tolist() == ["", "not a SMILES", ""]
    assert listed["logP"].isna().tolist() == [False, True, False]
    with pytest.raises(DataError, match="has no column 'smiles'"):
        study.model.predict(pd.DataFrame({"structure of it": smiles}))
    with pytest.raises(DataError, match="has 2 structures, and the model reads 1"):
        study.model.predict(["C + O"])
    with pytest.raises(TrainingError, match="molecules models predict without smiles_column"):
        study.model.predict(smiles, smiles_column="smiles")
