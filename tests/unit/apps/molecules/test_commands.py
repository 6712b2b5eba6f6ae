"""``matexapps molecules --help``: at once, with the defaults that are used."""

from __future__ import annotations

import subprocess
import sys

import pytest

HELP = """
import sys
from matexapps.apps.molecules.commands import app
try:
    app(sys.argv[1:], prog_name="matexapps molecules")
finally:
    print("imported", sorted({"torch", "numpy", "pandas", "rdkit", "mpi4py"} & set(sys.modules)))
"""


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("train", ["--smiles-columns", "scaffold, cluster", "--no-compare-random", "--settings"]),
        ("predict", ["Folder that train --out wrote", "--smiles-columns"]),
        ("pretrain", ["[FILE]", "chemicals", "--labels"]),
        ("quantum", ["FILE", "--time-limit-s", "120.0"]),
    ],
)
def test_help_answers_without_torch_and_rdkit(verb, words):
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
