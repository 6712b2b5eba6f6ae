"""The molecules notebook: as committed, and executed anew on a few molecules."""

from __future__ import annotations

from pathlib import Path

import pytest
from executed import assert_one_complete_run, printed

from matexapps.batch.run import run_notebook

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "molecules.ipynb"


def test_it_is_committed_with_the_outputs_of_one_run_from_top_to_bottom():
    assert_one_complete_run(NOTEBOOK)
    assert "90 % intervals hold" in printed(NOTEBOOK)
    assert NOTEBOOK.stat().st_size < 600_000


@pytest.mark.slow
def test_it_runs_on_two_ranks_with_every_picture(tmp_path):
    run = run_notebook(
        NOTEBOOK, tmp_path, n=2, parameters={"molecules": 120, "epochs": 2, "smaller": 1}
    )
    text = printed(run.notebook)
    assert "120 rows drawn" in text
    assert "done after" in text
    assert "random forest" in text
    assert run.notebook.read_text().count('"image/png"') >= 5
    assert run.page.read_text().count("data:image/png;base64") >= 5
