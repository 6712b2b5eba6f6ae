"""``matexapps molecules predict``: each row of a library once, in its order, bad ones marked."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys

import numpy as np
import pytest
from mpi_programs import program

import matexapps as mx
from matexapps.experiment.model.prediction import PIECE

GOOD = ["CCO", "C", "c1ccccc1", "C" * 200, "CC(=O)[O-].[Na+]", "[2H]C", "C[C@H](N)O", "OCC"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model's folder."""
    folder = tmp_path_factory.mktemp("model")
    table = folder / "table.csv"
    rows = [f"{'C' * i}{end},{i},{300 + i}" for i in range(1, 9) for end in ("O", "N", "Cl")]
    table.write_text("smiles,size,boiling point (K)\n" + "\n".join(rows) + "\n")
    study = mx.molecules.train(
        data=str(table), split="random", network="graph", members=2, epochs=2
    )
    study.model.save(folder / "kept")
    return folder / "kept"


def predict(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "matexapps.cli", "molecules", "predict", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("ranks", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_rows_keep_their_order_and_bad_ones_are_marked(model, tmp_path, ranks):
    library = tmp_path / "library.smi.gz"
    lines = [text for smiles in GOOD for text in ("bad(", f"{smiles} name of it")] + ["", "C1CC"]
    with gzip.open(library, "wt") as file:
        file.write("\n".join(lines) + "\n")
    done = predict(model, library, "-n", ranks, "--out", tmp_path / "out.csv", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert (summary["rows"], summary["bad"], summary["ranks"]) == (18, 10, ranks)
    rows = rows_of(tmp_path / "out.csv")
    assert [int(row["row"]) for row in rows] == list(range(1, 19))
    assert [row["smiles"] for row in rows] == [(line.split() or [""])[0] for line in lines]
    assert [row["name"] for row in rows[1:-1:2]] == ["name of it"] * 8
    assert [row["error"] for row in rows[::2]] == ["not a SMILES"] * 8 + ["blank"]
    assert rows[-1]["error"] == "not a SMILES"
    for row in rows[1:-1:2]:
        low, value, high = (float(row[f"size{end}"]) for end in (" low", "", " high"))
        assert low < value < high
        assert float(row["boiling point deviation"]) > 0
        assert row["error"] == ""
    assert rows[1]["size"] == rows[15]["size"]  # CCO and OCC
    assert rows[9]["standard_smiles"] == "CC(=O)O"  # of a salt
    assert (rows[1]["nearest"], float(rows[1]["similarity"])) == ("CCO", 1.0)
    assert all(row["size"] == "" for row in rows[::2])


@pytest.mark.slow
def test_what_cannot_be_predicted_is_said_once_and_leaves_the_table_as_it_was(model, tmp_path):
    (tmp_path / "library.csv").write_text("structure_,a\nCCO,1\n")
    (tmp_path / "out.csv").write_text("before")
    done = predict(model, tmp_path / "library.csv", "-n", 2, "--out", tmp_path / "out.csv")
    assert done.returncode == 1
    assert done.stderr.count("DataError") == 1
    assert "no column called 'smiles'" in done.stderr
    assert (tmp_path / "out.csv").read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["library.csv", "out.csv"]


SCRIPT = program("experiment/die_in_prediction.py")


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_a_rank_s_death_loses_and_doubles_no_row(model, tmp_path, run_ranks, victim):
    library = tmp_path / "library.smi"
    library.write_text("\n".join("C" * (1 + i % 30) + "O" for i in range(57)) + "\n")
    for ranks, dies, name in ((1, -1, "alone.csv"), (3, victim, "out.csv")):
        settings = {"model": str(model), "library": str(library), "out": str(tmp_path / name)}
        done = run_ranks(ranks, SCRIPT, dies, json.dumps(settings), fault_tolerant=ranks > 1)
        assert '"rows": 57' in done.stdout, done.stderr
        assert done.stderr.count("lost while molecules from 21 on were predicted") == (ranks > 1)
    alone, out = rows_of(tmp_path / "alone.csv"), rows_of(tmp_path / "out.csv")
    assert [row["smiles"] for row in out] == [row["smiles"] for row in alone]
    np.testing.assert_allclose(
        [float(row["size"]) for row in out], [float(row["size"]) for row in alone], rtol=1e-4
    )


@pytest.mark.slow
def test_many_pieces_on_three_ranks_are_as_on_one(model, tmp_path):
    library = tmp_path / "library.csv"
    rows = 2 * PIECE + 17
    library.write_text("id,smiles\n" + "".join(f"{i},{'C' * (i % 7)}O\n" for i in range(rows)))
    tables = []
    for ranks in (1, 3):
        out = tmp_path / f"{ranks}.csv"
        assert predict(model, library, "-n", ranks, "--out", out).returncode == 0
        tables.append(rows_of(out))
    alone, three = tables
    assert len(alone) == len(three) == rows
    assert [row["smiles"] for row in alone] == [row["smiles"] for row in three]
    np.testing.assert_allclose(
        [float(row["size"]) for row in alone], [float(row["size"]) for row in three], rtol=1e-4
    )
