"""``matexapps molecules quantum``: a campaign that is cut off computes no molecule twice."""

from __future__ import annotations

import csv
import json
import subprocess
import sys

import pytest
from mpi_programs import program

pytest.importorskip("tblite", reason="needs the extra quantum")

from matexapps.apps.molecules.prepared import load_records
from matexapps.apps.molecules.settings import MoleculeSettings

SCRIPT = program("experiment/die_in_campaign.py")
ROWS = ["bad(", "C", "CC", "CCC", "CCO", "OCC", "CN", "[He]", "C=O", "CC(=O)[O-].[Na+]", "CF", ""]


def campaign(*words: object) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-m", "matexapps.cli", "molecules", "quantum", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def computed(folder):
    return [
        json.loads(line)["key"]
        for path in folder.glob("*.jsonl")
        for line in path.read_text().splitlines()
    ]


def test_a_campaign_that_was_cut_off_computes_no_molecule_twice(tmp_path, run_ranks):
    library, out = tmp_path / "library.csv", tmp_path / "labels.csv"
    library.write_text("smiles\n" + "\n".join(f'"{row}"' for row in ROWS) + "\n")
    settings = {"data": str(library), "out": str(out)}
    assert run_ranks(2, SCRIPT, json.dumps(settings)).returncode != 0
    assert not out.exists()
    before = computed(tmp_path / "labels.csv.campaign")
    assert 3 <= len(before) <= 6
    summary = campaign(library, "--out", out, "-n", 2)
    assert (summary["rows"], summary["molecules"], summary["rejected_rows"]) == (12, 9, 3)
    assert summary["known_before"] == len(before)
    assert summary["computed"] == 9 - len(before)
    everything = computed(tmp_path / "labels.csv.campaign")
    assert len(everything) == len(set(everything)) == 9
    table = rows_of(out)
    assert [row["smiles"] for row in table] == [
        *("C", "CC", "CCC", "CCO", "CN", "C=O", "CC(=O)O", "CF")
    ]
    reasons = [(row["row"], row["reason"]) for row in rows_of(tmp_path / "labels_rejected.csv")]
    assert reasons == [
        ("1", "not a SMILES"),
        ("8", "neither MMFF94 nor UFF has parameters for its atoms"),
        ("12", "blank"),
    ]
    records = load_records(MoleculeSettings(data=str(out)))
    assert len(records) == 8
    assert str(records.targets[4]) == "HOMO-LUMO gap (eV)"
    assert records.values[0, 5] == pytest.approx(0, abs=0.01)  # methane has no dipole moment


@pytest.mark.slow
def test_any_number_of_ranks_gives_the_same_table_and_other_settings_are_refused(tmp_path):
    library = tmp_path / "library.smi"
    library.write_text("\n".join("C" * (1 + i % 7) + "O" * (i % 2) for i in range(20)) + "\n")
    tables = []
    for ranks in (1, 3):
        out = tmp_path / f"on-{ranks}.csv"
        campaign(library, "--out", out, "-n", ranks)
        tables.append(out.read_text())
    assert tables[0] == tables[1]
    again = campaign(library, "--out", tmp_path / "on-3.csv", "-n", 2)
    assert again["computed"] == 0
    assert (tmp_path / "on-3.csv").read_text() == tables[0]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "matexapps.cli", "molecules", "quantum", str(library)),
            *("--out", str(tmp_path / "on-3.csv"), "--seed", "1", "-n", "1"),
        ],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 1
    assert "holds values of another campaign: seed was 0 and is 1 now" in done.stderr


@pytest.mark.slow
def test_time_limits_and_tries_that_grow_are_used(tmp_path):
    library, out = tmp_path / "library.smi", tmp_path / "labels.parquet"
    library.write_text("CCO\n" + "C" * 60 + "\n")
    summary = campaign(library, "--out", out, "-n", 2, "--time-limit", 0.3)
    assert summary["rejected_rows"] >= 1
    assert "not done within" in rows_of(tmp_path / "labels_rejected.csv")[-1]["reason"]
    summary = campaign(library, "--out", out, "-n", 2, "--time-limit", 100)
    assert (summary["computed"] >= 1, summary["rejected_rows"]) == (True, 0)
