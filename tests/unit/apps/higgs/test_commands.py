"""``matexapps higgs --help``: at once, with the defaults that are used."""

from __future__ import annotations

import subprocess
import sys

import pytest

HELP = """
import sys
from matexapps.apps.higgs.commands import app
try:
    app(sys.argv[1:], prog_name="matexapps higgs")
finally:
    print("imported", sorted({"torch", "numpy", "pandas", "mpi4py"} & set(sys.modules)))
"""


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("train", ["--expected-signal", "higgs-simulated", "present, dnn2014", "--settings"]),
        ("predict", ["Folder that train --out wrote"]),
        ("simulate", ["--signal-fraction", "0.53"]),
    ],
)
def test_help_answers_without_torch(verb, words):
    done = subprocess.run(
        [sys.executable, "-c", HELP, verb, "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={"COLUMNS": "200", "PATH": ""},
    )
    assert all(word in done.stdout for word in words)
    assert "imported []" in done.stdout
