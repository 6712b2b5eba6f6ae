"""Pre-training on ranks, and the training that begins with it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from mpi_programs import program

SCRIPT = program("experiment/pretrain_molecules.py")


@pytest.fixture
def tables(tmp_path):
    """Molecules to pre-train on, with labels, and a task with some of them."""
    good = [
        f"{'C' * i}{core}" for core in ("c1ccccc1", "C1CCCCC1O", "O", "N") for i in range(1, 11)
    ]
    library, task = tmp_path / "library.csv", tmp_path / "task.csv"
    library.write_text(
        "smiles,gap (eV)\n" + "".join(f"{smiles},{len(smiles)}\n" for smiles in good) + "bad(,1\n"
    )
    task.write_text("smiles,logS\n" + "".join(f"{smiles},{-len(smiles)}\n" for smiles in good[::2]))
    return library, task


@pytest.mark.slow
def test_two_ranks_pre_train_as_one_does_and_a_training_begins_with_it(tables, tmp_path, run_ranks):
    library, task = tables
    out = tmp_path / "pretrained"
    settings = {"data": str(library), "out": str(out), "task": str(task), "labels": ["gap"]}
    settings |= {"epochs": 2, "members": 1, "batch_size": 8, "split": "random"}
    later = {"data": str(task), "pretrained": str(out), "epochs": 2, "members": 2}
    later |= {"split": "random", "batch_size": 8}
    done = run_ranks(2, SCRIPT, json.dumps(settings), json.dumps(later), timeout=200)
    assert done.returncode == 0, done.stderr
    summary, study, furthest = json.loads(done.stdout.splitlines()[-1])
    assert furthest < 1e-4
    assert (summary["molecules"], summary["left_out_rows"], summary["rejected"]) == (36, 4, 1)
    assert summary["targets"] > 50
    assert list(summary["r2_of_labels"]) == ["gap (eV)"]
    leakage = study["splits"]["random"]["leakage"]
    assert (leakage["pretrained"], leakage["test"]) == (0, 2)


@pytest.mark.slow
@pytest.mark.parametrize(("network", "later"), [("smiles", "smiles"), ("image", "image")])
def test_every_network_that_reads_structure_is_pre_trained_by_the_command(
    tables, tmp_path, network, later
):
    library, task = tables
    out = tmp_path / "pretrained"

    def matexapps(*words):
        return subprocess.run(
            [sys.executable, "-m", "matexapps.cli", "molecules", *map(str, words)],
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )

    words = ("--network", network, "--epochs", 2, "--members", 1, "-n", 2)
    done = matexapps("pretrain", library, "--out", out, "--task", "none", *words)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["left_out_rows"] == 0
    words = ("--epochs", 2, "--members", 1, "--pretrained", out)
    done = matexapps("train", "--data", task, "--network", later, *words, "--json")
    assert done.returncode == 0, done.stderr
    leakage = json.loads(done.stdout.splitlines()[-1])["splits"]["scaffold"]["leakage"]
    assert leakage["pretrained"] > 0
    words = ("--epochs", 2, "--pretrained", out)
    done = matexapps("train", "--data", task, *words)
    assert done.returncode == 1
    assert f"cannot start from a pre-trained '{network}' network" in done.stderr
    assert done.stderr.count("TrainingError") == 1
