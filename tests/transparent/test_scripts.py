"""Unmodified programs on several ranks give what they give in one process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPTS = Path(__file__).parent / "scripts"
RUN = """
import runpy
import sys
from matexapps import distributed
with distributed():
    runpy.run_path(sys.argv[1], run_name="__main__")
"""


def weights(path: Path) -> dict[str, torch.Tensor]:
    """Every tensor that a program saved, by name."""
    found: dict[str, torch.Tensor] = {}
    for name, value in torch.load(path, weights_only=True).items():
        inner = value.items() if isinstance(value, dict) else [("", value)]
        found |= {f"{name}.{part}": tensor for part, tensor in inner}
    return found


@pytest.mark.parametrize(
    ("script", "n"), [("mlp", 2), ("mlp", 3), ("gan", 2), ("vae", 3), ("gcn", 2)]
)
def test_weights_and_prints_are_those_of_one_process(run_ranks, tmp_path, script, n):
    program = SCRIPTS / f"{script}.py"
    alone = tmp_path / "alone"
    alone.mkdir()
    plain = subprocess.run(
        [sys.executable, program], cwd=alone, capture_output=True, text=True, check=True
    )
    done = run_ranks(n, RUN, program)
    assert done.returncode == 0, done.stderr
    assert done.stdout == plain.stdout
    expected = weights(alone / "model.pt")
    for name, tensor in weights(tmp_path / "model.pt").items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-5, atol=1e-5)
    if script == "gcn":
        assert "GCN does not compute the rows of its inputs one by one" in done.stderr
