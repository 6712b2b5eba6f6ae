"""``matexapps train higgs``, from the shell to the last line of JSON, on one rank and on two."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from matexapps.apps.higgs.schema import FEATURES


@pytest.fixture
def files(tmp_path):
    """A file to train on and one to test on, laid out as UCI HIGGS, with m_bb telling."""
    rng = np.random.default_rng(0)
    for name, rows in (("train.csv", 600), ("test.csv", 400)):
        label = rng.integers(0, 2, rows)
        features = np.abs(rng.normal(1.0, 0.3, (rows, len(FEATURES))))
        features[:, FEATURES.index("m_bb")] += 0.5 * label
        table = np.column_stack([label, features])
        np.savetxt(tmp_path / name, table, delimiter=",", fmt="%.6f")
    return tmp_path


def train(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "matexapps.cli", "train", "higgs", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def test_the_last_line_reports_network_and_baselines_whatever_the_ranks(files):
    results = []
    for ranks in (1, 2):
        done = train(
            *("--data", files / "train.csv", "--test", files / "test.csv", "-n", ranks),
            *("--network", "dnn2014", "--epochs", 3, "--seeds", 2, "--batch-size", 32, "--json"),
        )
        assert done.returncode == 0, done.stderr
        assert "epoch 3/3" in done.stderr
        results.append(json.loads(done.stdout.splitlines()[-1]))
    for ranks, result in zip((1, 2), results, strict=True):
        assert result["ranks"] == ranks
        assert result["rows"] == {"train": 540, "validation": 60, "test": 400}
        assert len(result["auc_by_seed"]) == 2
        assert result["auc"] == pytest.approx(np.mean(result["auc_by_seed"]))
        low, high = result["auc_interval"]
        assert 0.75 < low < result["auc"] < high
        assert "logistic_regression" in result["baselines"]
        assert len(result["baselines"]) == 3
        for baseline in result["baselines"].values():
            assert baseline["network_gain"] == pytest.approx(result["auc"] - baseline["auc"])
            low, high = baseline["network_gain_interval"]
            assert low <= baseline["network_gain"] <= high
        assert result["ams"] > 0
        assert result["rows_per_s"] > 0
    one, two = results
    assert two["auc_by_seed"] == pytest.approx(one["auc_by_seed"], abs=1e-3)
    names = list(one["baselines"])
    assert [two["baselines"][name]["auc"] for name in names] == pytest.approx(
        [one["baselines"][name]["auc"] for name in names]
    )


@pytest.mark.parametrize("ranks", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_broken_file_ends_every_rank_with_one_sentence(files, ranks):
    lines = (files / "train.csv").read_text().splitlines()
    lines[4] = lines[4].replace(",", ",oops,", 1).rsplit(",", 1)[0]
    (files / "broken.csv").write_text("\n".join(lines))
    done = train("--data", files / "broken.csv", "-n", ranks, "--seeds", 1)
    assert done.returncode == 1
    assert "broken.csv, row 5" in done.stderr
    assert "oops" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("DataError") == 1


@pytest.mark.slow
def test_an_unknown_network_is_answered_with_a_guess(files):
    done = train("--data", files / "train.csv", "-n", 1, "--network", "presnt")
    assert done.returncode == 1
    assert "did you mean 'present'?" in done.stderr
