"""``matexapps molecules train``, from the shell to the last line of JSON, whatever the ranks."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from mpi_programs import program

CHAINS = ("C", "CC", "CCC", "OCC", "NCC", "FCC")
CORES = ("c1ccccc1", "C1CCCCC1", "c1ccncc1", "C1CCOCC1", "c1ccsc1")
STRANGE = (
    "C",  # one atom, no bonds
    "C" * 200,
    "[2H]C([2H])([2H])O",
    "C[C@H](N)C(=O)O",
    "C/C=C/C",
    "CC(=O)[O-].[Na+]",
)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """31 molecules, broken SMILES first, last and between, two targets with gaps."""
    good = [chain + core for core in CORES for chain in CHAINS][:25] + list(STRANGE)
    lines = ["smiles,logS (log mol/L),boiling point (K)"]
    for number, smiles in enumerate(good):
        size = len(smiles.replace("=", ""))
        lines.append(f"broken{number}(,1,2" if number % 2 else ",3,4")
        lines.append(f"{smiles},{-0.1 * size:.2f},{'' if number % 3 else 300 + 5 * size}")
    lines.append("C1CC,0,0")
    path = tmp_path_factory.mktemp("molecules") / "values.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def train(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "matexapps.cli", "molecules", "train", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


@pytest.mark.parametrize("several", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_31_molecules_give_the_same_on_any_number_of_ranks(table, several, tmp_path):
    results = []
    for ranks in (1, several):
        done = train(
            *("--data", table, "-n", ranks, "--epochs", 3, "--members", 2, "--batch-size", 8),
            *("--validation", 0.2, "--test", 0.2, "--out", tmp_path / f"on-{ranks}", "--json"),
            *("--cache", tmp_path / "cache"),  # which one rank fills, and several read
        )
        assert done.returncode == 0, done.stderr
        for kind in ("scaffold", "random"):
            assert f"{kind} split, seed 0: epoch 1/3" in done.stderr
        results.append(json.loads(done.stdout.splitlines()[-1]))
    alone, together = results
    assert (alone["ranks"], together["ranks"]) == (1, several)
    assert together["molecules"] == 31
    assert together["rejected_rows"] == alone["rejected_rows"]
    assert [row["row"] for row in together["rejected_rows"]] == [*range(1, 62, 2), 63]
    assert together["rejected_rows"][0]["reason"] == "blank"
    assert together["rejected_rows"][-1]["reason"] == "not a SMILES"
    assert list(together["splits"]) == ["scaffold", "random"]
    for kind, split in together["splits"].items():
        assert sum(split["rows"].values()) == 31
        for name, target in split["targets"].items():
            before = alone["splits"][kind]["targets"][name]
            assert target["rmse"] == pytest.approx(before["rmse"], rel=1e-4)
            assert target["interval_coverage"] == pytest.approx(before["interval_coverage"])
            assert set(target["baselines"]) == {"random_forest", "mean"}
            for other in target["baselines"].values():
                assert other["network_gain"] == pytest.approx(other["rmse"] - target["rmse"])
    assert (tmp_path / f"on-{several}" / "model.json").is_file()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "rounding"),
    # AdamW's first steps have the size of the learning rate whatever the gradient's, which makes
    # much of the rounding where a gradient is next to nothing, as many of a picture's are: that
    # gradients agree is shown by test_gradients_of_parts_make_up_that_of_the_batch.
    [("graph", 1e-4), ("fingerprint", 1e-4), ("smiles", 1e-4), ("image", 2e-3)],
)
def test_every_network_learns_31_molecules_on_ranks_as_on_one(table, network, rounding):
    errors = []
    for ranks in (1, 3):
        done = train(
            *("--data", table, "-n", ranks, "--epochs", 2, "--members", 1, "--batch-size", 8),
            *("--network", network, "--split", "random", "--json"),
        )
        assert done.returncode == 0, done.stderr
        split = json.loads(done.stdout.splitlines()[-1])["splits"]["random"]
        errors.append([target["rmse"] for target in split["targets"].values()])
    np.testing.assert_allclose(errors[0], errors[1], rtol=rounding)


@pytest.mark.slow
def test_a_file_that_cannot_be_used_ends_every_rank_with_one_sentence(tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text("smiles,logS\nCCO,1\nCCN,much\n")
    done = train("--data", path, "--target-columns", "logS", "-n", 2)
    assert done.returncode == 1
    assert "bad.csv, row 2, column 'logS': 'much' is not a finite number" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("DataError") == 1


SCRIPT = program("experiment/die_in_molecules.py")


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 2])
def test_a_rank_s_death_in_training_changes_no_result(table, run_ranks, victim):
    results = []
    for ranks, dies in ((1, -1), (3, victim)):
        settings = {"data": str(table), "epochs": 3, "members": 2, "batch_size": 8}
        settings |= {"split": "random", "validation": 0.2, "test": 0.2}
        done = run_ranks(
            ranks, SCRIPT, dies, json.dumps(settings), fault_tolerant=ranks > 1, timeout=200
        )
        assert done.stdout, done.stderr
        results.append(json.loads(done.stdout.splitlines()[-1]))
    alone, remaining = results
    assert (alone["ranks"], remaining["ranks"]) == (1, 2)
    for name, target in remaining["splits"]["random"]["targets"].items():
        before = alone["splits"]["random"]["targets"][name]
        assert target["rmse"] == pytest.approx(before["rmse"], rel=1e-4)
