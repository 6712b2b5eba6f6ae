"""``matexapps data`` and ``matexapps convert`` as their users meet them."""

import json
import os
import pty
import subprocess
import sys

import h5py
import numpy as np
import pandas as pd
import pytest

from matexapps.cli import main


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    table = pd.DataFrame(
        {
            "pressure": [1.5, np.nan, np.inf, 2.5] * 25,
            "site": ["[red]Bonn", "Ulm", "", "Ulm"] * 25,
            "label": [0, 1, 2, 1] * 25,
        }
    )
    table.to_csv("runs.csv", index=False)
    return table


def command(*words):
    with pytest.raises(SystemExit) as left:
        main([*map(str, words)])
    return left.value.code


def test_data_says_what_is_in_a_file_within_80_columns(runs, capsys):
    assert command("data", "runs.csv") == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "100 rows, 3 columns" in lines
    assert "pressure float64 25 1.5 inf inf" in lines
    assert "site text 25 2 Ulm (50), [red]Bonn (25)" in lines
    assert "label label, 3 classes: 0: 25 (25.0%), 1: 50 (50.0%), 2: 25 (25.0%)" in lines
    assert "categories={'site': [...]}" in " ".join(lines)


def test_data_as_json_is_the_last_line_and_has_no_infinity(runs, capsys):
    assert command("data", "runs.csv", "--label", "2", "--json") == 0
    facts = json.loads(
        capsys.readouterr().out.splitlines()[-1], parse_constant=lambda name: pytest.fail(name)
    )
    assert facts["rows"] == 100
    assert facts["label"]["classes"] == [[0, 25], [1, 50], [2, 25]]
    assert facts["columns"][0]["missing"] == 25
    assert facts["columns"][0]["maximum"] is None
    assert facts["columns"][0]["infinite"] is True


def test_data_shares_the_rows_among_ranks(runs, capsys):
    runs[["pressure", "label"]].fillna(0).to_csv("plain.csv", index=False)
    assert command("data", "plain.csv", "-n", "4", "--memory", "1kB") == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "70 rows to train, 10 to validate, 20 to test" in out
    assert "4 ranks 17 or 18 rows to train a rank and epoch" in out
    assert "read from the file in each epoch" in out


def test_features_that_are_named_are_enough(runs, capsys):
    pd.concat([runs.assign(number=1.0)] * 2).to_csv("runs.csv", index=False)
    assert command("data", "runs.csv", "--features", "number, label", "--label", "label") == 0
    assert "is also among the features" in " ".join(capsys.readouterr().out.split())
    assert command("data", "runs.csv", "--features", "number") == 0
    assert "140 rows to train" in " ".join(capsys.readouterr().out.split())


def test_a_pattern_that_the_shell_has_taken_gets_advice(runs, capsys):
    assert command("data", "runs/1.csv", "runs/2.csv") == 2
    error = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert "got 2 files; name their folder, or put a pattern in quotes, as in 'runs/*.csv'" in error


def test_a_name_of_the_catalog_serves(runs, capsys):
    assert command("data", "higgs-simulated") == 0
    assert "label, 2 classes" in capsys.readouterr().out


def test_convert_writes_and_refuses_to_replace(runs, capsys):
    words = ("convert", "runs.csv", "runs.h5", "--dtype", "float32", "--compress")
    assert command(*words) == 0
    assert "runs.h5: 100 rows of 3 columns" in capsys.readouterr().out
    with h5py.File("runs.h5") as file:
        assert file["features"].dtype == np.float32
        assert file["features"].compression == "gzip"
        np.testing.assert_array_equal(file["features"][:, 0], runs["pressure"].astype("f4"))
    assert command(*words) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "runs.h5 exists already" in line
    assert command(*words, "--overwrite") == 0


def test_convert_tells_what_to_mind_of_a_csv(runs, capsys):
    with h5py.File("years.h5", "w") as file:
        file["values"] = np.ones((3, 2))
        file["values"].attrs["columns"] = ["2019", "2020"]
    assert command("convert", "years.h5", "years.csv") == 0
    assert "Mind: the column '2019'" in capsys.readouterr().out


def test_a_terminal_sees_a_bar(runs):
    pd.concat([runs] * 3000).to_csv("large.csv", index=False)
    leader, follower = pty.openpty()
    words = [sys.executable, "-m", "matexapps.cli", "convert", "large.csv", "large.csv.gz"]
    environment = {**os.environ, "TERM": "xterm-256color"}
    child = subprocess.Popen(words, stderr=follower, stdout=subprocess.DEVNULL, env=environment)
    os.close(follower)
    shown = b""
    while True:
        try:
            shown += os.read(leader, 65536)
        except OSError:
            break
    os.close(leader)
    assert child.wait(timeout=60) == 0
    assert b"scanning large.csv" in shown or b"reading large.csv" in shown
    assert b"%" in shown
