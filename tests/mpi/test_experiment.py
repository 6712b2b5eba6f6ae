"""A whole domain in a few lines (tests/helpers/wine.py): all that it inherits, on real ranks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mpi_programs import program
from sklearn.datasets import load_wine
from wine import WINE

from matexapps.experiment.model.model import Model

PROGRAM = Path(__file__).parents[1] / "helpers" / "wine.py"
SMALL = ("--epochs", 4, "--json")


def wine(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PROGRAM), *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def summary_of(done: subprocess.CompletedProcess[str]) -> dict:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[dict, Path]:
    """The summary of an experiment on two ranks, and the folder of its model."""
    folder = tmp_path_factory.mktemp("wine") / "model"
    return summary_of(wine("train", *SMALL, "-n", 2, "--out", folder)), folder


def test_three_seeds_and_two_splits_stand_beside_two_baselines(trained):
    summary, folder = trained
    assert summary["seeds"] == 3
    assert list(summary["splits"]) == ["stratified", "random"]
    for split in summary["splits"].values():
        assert sum(split["rows"].values()) == 178
        assert split["accuracy"] == pytest.approx(np.mean(split["accuracy_by_seed"]))
        assert len(split["accuracy_by_seed"]) == 3
        for baseline in split["baselines"].values():
            gain = split["accuracy"] - baseline["accuracy"]
            assert baseline["network_gain"] == pytest.approx(gain)
            low, high = baseline["network_gain_interval"]
            assert low <= gain <= high
        assert list(split["baselines"]) == ["logistic_regression", "most_frequent"]
        assert split["leakage"]["identical"] == 0
    assert json.loads((folder / "report.json").read_text()) == summary
    assert (folder / "report.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((folder / "environment.json").read_text())["torch"]


def test_the_result_is_that_of_one_rank_dropout_included(trained):
    alone = summary_of(wine("train", *SMALL, "-n", 1))
    for name, split in trained[0]["splits"].items():
        for figure in ("accuracy", "log_loss"):
            assert split[figure] == pytest.approx(alone["splits"][name][figure], abs=1e-5)
        assert split["baselines"] == alone["splits"][name]["baselines"]


def test_a_kept_model_predicts_every_row_in_its_order_on_any_number_of_ranks(trained, tmp_path):
    _, folder = trained
    table = load_wine(as_frame=True).data
    table.insert(0, "cellar", "north")
    table.loc[3, "ash"] = np.nan
    table[table.columns[::-1]].to_csv(tmp_path / "wines.csv", index=False)
    for ranks in (1, 2):
        out = tmp_path / f"on{ranks}.csv"
        done = wine("predict", folder, tmp_path / "wines.csv", "-n", ranks, "--out", out)
        assert done.returncode == 0, done.stderr
    first, second = (pd.read_csv(tmp_path / f"on{ranks}.csv") for ranks in (1, 2))
    assert list(first["row"]) == list(range(1, 179))
    assert first.loc[3, "error"] == "ash is not a finite number"
    assert first.drop(index=3)["error"].isna().all()
    columns = [f"probability of {name}" for name in ("barolo", "grignolino", "barbera")]
    np.testing.assert_allclose(first[columns], second[columns], atol=1e-6)
    model = Model.load(folder, WINE)
    complete = load_wine().data.astype(np.float32)
    outputs = model.outputs(complete)
    expected = np.exp(outputs) / np.exp(outputs).sum(1, keepdims=True)
    np.testing.assert_allclose(first.drop(index=3)[columns], np.delete(expected, 3, 0), atol=1e-5)
    right = (first["class"] == np.array(model.task.classes)[load_wine().target]).mean()
    assert right > 0.6


def test_rows_that_do_not_fit_a_model_are_refused_with_one_sentence(trained, tmp_path):
    _, folder = trained
    pd.DataFrame({"alcohl": [1.0], "ash": [2.0]}).to_csv(tmp_path / "other.csv", index=False)
    done = wine("predict", folder, tmp_path / "other.csv", "-n", 2)
    assert done.returncode == 1
    assert done.stderr.count("has no column 'alcohol', which the model reads") == 1
    assert "did you mean 'alcohl'?" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("*predicted*"))


def test_kept_settings_make_the_same_result_again(trained):
    summary, folder = trained
    again = summary_of(wine("train", "--settings", folder, "-n", 2, "--out", folder, "--json"))
    leave_out = {"seconds", "rows_per_s"}
    for name, split in summary["splits"].items():
        for key in split.keys() - leave_out:
            assert again["splits"][name][key] == split[key]


def test_an_interrupted_experiment_resumes_from_its_checkpoints(trained, tmp_path):
    checkpoints = tmp_path / "checkpoints"
    stops = wine("train", "--epochs", 2, "-n", 2, "--checkpoints", checkpoints)
    assert stops.returncode == 0, stops.stderr
    done = wine("train", *SMALL, "-n", 2, "--checkpoints", checkpoints)
    assert "epoch 3/4" in done.stderr
    assert "epoch 1/4" not in done.stderr
    for name, split in summary_of(done)["splits"].items():
        assert split["log_loss"] == pytest.approx(trained[0]["splits"][name]["log_loss"], abs=1e-5)


DIES = program("experiment/die_in_wine.py")


@pytest.mark.open_mpi
@pytest.mark.parametrize("victim", [0, 1])
def test_a_rank_that_is_killed_in_the_middle_changes_no_result(trained, run_ranks, victim):
    done = run_ranks(2, DIES, victim, fault_tolerant=True)
    assert done.stdout, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["ranks"] == 1
    for name, split in summary["splits"].items():
        assert split["log_loss"] == pytest.approx(trained[0]["splits"][name]["log_loss"], abs=1e-5)


def test_a_mistake_on_the_command_line_is_answered_before_any_rank_starts():
    done = wine("train", "--widht", 3)
    assert done.returncode == 2
    assert "--width" in done.stderr
    done = wine("train", "--recovery", "shrnk")
    assert done.returncode == 1
    assert "did you mean 'shrink'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_help_shows_types_and_real_defaults_of_the_settings():
    words = " ".join(wine("train", "--help").stdout.replace("│", " ").split())
    assert "--width <int> Units of the hidden layer. [default: 16]" in words
    assert "--seeds <int> How many trainings" in words
    assert "[default: 3]" in words
    assert "One of shrink, reinit, checkpoint, abort." in words
