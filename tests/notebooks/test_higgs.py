"""The Higgs notebook: as committed, and executed anew on a part of the sample."""

from __future__ import annotations

from pathlib import Path

from executed import assert_one_complete_run, printed

from matexapps.batch.run import run_notebook

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "higgs.ipynb"


def test_it_is_committed_with_the_outputs_of_one_run_from_top_to_bottom():
    assert_one_complete_run(NOTEBOOK)
    assert "standard deviations with the cut" in printed(NOTEBOOK)
    assert NOTEBOOK.stat().st_size < 500_000


def test_it_runs_on_two_ranks_with_every_picture(tmp_path):
    run = run_notebook(NOTEBOOK, tmp_path, n=2, parameters={"rows": 1500, "epochs": 2})
    text = printed(run.notebook)
    assert "\n1      2  " in text, "the history's second row is not of epoch 2"
    assert "1,050 rows train, 150 choose, 300 judge" in text
    assert "logistic regression" in text
    assert run.notebook.read_text().count('"image/png"') == 3
    assert run.page.read_text().count("data:image/png;base64") >= 3
