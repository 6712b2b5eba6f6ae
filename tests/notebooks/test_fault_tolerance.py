"""The notebook about ranks that die: as committed, and executed anew."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from executed import assert_one_complete_run, printed

from matexapps.batch.run import run_notebook

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "fault_tolerance.ipynb"


def test_it_is_committed_with_the_outputs_of_one_run_from_top_to_bottom():
    assert_one_complete_run(NOTEBOOK)
    text = printed(NOTEBOOK)
    assert "2 ranks go on, " in text
    assert re.search(r"rank 2 on \S+ lost at epoch", text)
    assert "3 ranks again" in text
    assert len(NOTEBOOK.read_text()) < 400_000


@pytest.mark.open_mpi
@pytest.mark.slow  # ten trainings, and ranks that start anew
@pytest.mark.timeout(600)
def test_it_runs_on_two_ranks(tmp_path):
    run = run_notebook(NOTEBOOK, tmp_path, n=2, parameters={"epochs": 6})
    text = printed(run.notebook)
    assert "1 rank goes on, " in text
    assert "2 ranks again" in text
    assert "for nothing" in text
