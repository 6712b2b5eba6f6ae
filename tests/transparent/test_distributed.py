"""``with mx.distributed():`` in code: what is sharded, what is not, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

import matexapps as mx

FOLDER = Path(__file__).parent / "distributed_programs"
PROGRAMS = sorted(path for path in FOLDER.glob("*.py") if path.stem != "common")
RUN_ALL = """
import runpy, sys
sys.path.insert(0, sys.argv[1])
for path in sys.argv[2:]:
    runpy.run_path(path)
"""


@pytest.mark.parametrize("n", [pytest.param(2, marks=pytest.mark.slow), 3])
def test_programs_pass_their_own_assertions(run_ranks, n):
    done = run_ranks(n, RUN_ALL, FOLDER, *PROGRAMS)
    assert done.returncode == 0, done.stderr
    # What is printed after leaving is each rank's own.
    assert sorted(done.stdout.splitlines()) == sorted([path.stem for path in PROGRAMS] * n)


def test_explanation_lists_what_is_patched():
    explanation = mx.distributed.explain()
    for name in ("Module.__call__", "autograd.grad", "default_rng", "torch.save", "DataLoader"):
        assert name in explanation
