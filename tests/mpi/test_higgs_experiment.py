"""``matexapps higgs``, from the shell to the last line of JSON, on one rank and on two."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from matexapps.apps.higgs.domain import HIGGS
from matexapps.apps.higgs.schema import FEATURES
from matexapps.apps.higgs.units import UCI_UNITS
from matexapps.experiment.model.model import Model


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A file to train on and one to test on, laid out as UCI HIGGS, with m_bb telling."""
    folder = tmp_path_factory.mktemp("higgs")
    rng = np.random.default_rng(0)
    for name, rows in (("train.csv", 600), ("test.csv", 400)):
        label = rng.integers(0, 2, rows)
        features = np.abs(rng.normal(1.0, 0.3, (rows, len(FEATURES))))
        features[:, FEATURES.index("m_bb")] += 0.5 * label
        table = np.column_stack([label, features])
        np.savetxt(folder / name, table, delimiter=",", fmt="%.6f")
    return folder


def higgs(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "matexapps.cli", "higgs", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def train(*words: object) -> dict:
    done = higgs("train", *words, "--json")
    assert done.returncode == 0, done.stderr
    assert "epoch 3/3" in done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def trained(files) -> tuple[dict, Path]:
    """The results of an experiment on two ranks, and the folder of its model."""
    words = ("--data", files / "train.csv", "--test", files / "test.csv", "--network", "dnn2014")
    chosen = ("--epochs", 3, "--seeds", 2, "--batch-size", 32, "--out", files / "model")
    return train(*words, *chosen, "-n", 2), files / "model"


def test_the_last_line_reports_network_and_baselines_whatever_the_ranks(trained):
    together, model = trained
    alone = train("--settings", model, "--out", model.with_name("again"), "-n", 1)
    splits = []
    for ranks, summary in ((1, alone), (2, together)):
        assert summary["ranks"] == ranks
        split = summary["splits"]["test-file"]
        splits.append(split)
        assert split["rows"] == {"train": 540, "validation": 60, "test": 400}
        assert len(split["roc_auc_by_seed"]) == 2
        assert split["roc_auc"] == pytest.approx(np.mean(split["roc_auc_by_seed"]))
        low, high = split["roc_auc_interval"]
        assert 0.75 < low < split["roc_auc"] < high
        assert "logistic_regression" in split["baselines"]
        assert len(split["baselines"]) == 3
        for baseline in split["baselines"].values():
            gain = split["roc_auc"] - baseline["roc_auc"]
            assert baseline["network_gain"] == pytest.approx(gain)
            low, high = baseline["network_gain_interval"]
            assert low <= baseline["network_gain"] <= high
        assert split["ams"] > 0
        assert split["rows_per_s"] > 0
    alone, together = splits
    assert together["roc_auc_by_seed"] == pytest.approx(alone["roc_auc_by_seed"], abs=1e-3)
    names = list(alone["baselines"])
    assert [together["baselines"][name]["roc_auc"] for name in names] == pytest.approx(
        [alone["baselines"][name]["roc_auc"] for name in names]
    )


def test_a_kept_model_predicts_on_two_ranks_what_one_predicts_in_the_files_order(trained):
    _, folder = trained
    source = folder.with_name("test.csv")
    done = higgs("predict", folder, source, "-n", 2)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(folder.with_name("test_predicted.csv"))
    assert table["row"].tolist() == list(range(1, 401))
    alone = Model.load(folder, HIGGS).predict(source)
    column = "probability of signal"
    np.testing.assert_allclose(table[column], alone[column], atol=1e-6)


def test_events_in_other_units_are_refused_with_one_sentence(trained):
    _, folder = trained
    rows = np.loadtxt(folder.with_name("test.csv"), delimiter=",")
    rows[:, 1:] *= UCI_UNITS
    np.savetxt(folder.with_name("gev.csv"), rows, delimiter=",")
    done = higgs("predict", folder, folder.with_name("gev.csv"), "-n", 2)
    assert done.returncode == 1
    assert done.stderr.count("in GeV, and the model reads the plain numbers of UCI HIGGS") == 1
    assert "Traceback" not in done.stderr
    assert not folder.with_name("gev_predicted.csv").exists()


@pytest.mark.parametrize("ranks", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_broken_file_ends_every_rank_with_one_sentence(files, ranks):
    lines = (files / "train.csv").read_text().splitlines()
    lines[4] = lines[4].replace(",", ",oops,", 1).rsplit(",", 1)[0]
    (files / "broken.csv").write_text("\n".join(lines))
    done = higgs("train", "--data", files / "broken.csv", "-n", ranks, "--seeds", 1)
    assert done.returncode == 1
    assert "broken.csv, row 5" in done.stderr
    assert "oops" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("DataError") == 1


@pytest.mark.slow
def test_an_unknown_network_is_answered_with_a_guess(files):
    done = higgs("train", "--data", files / "train.csv", "-n", 1, "--network", "presnt")
    assert done.returncode == 1
    assert "did you mean 'present'?" in done.stderr
