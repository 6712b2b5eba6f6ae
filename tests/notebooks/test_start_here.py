"""The first notebook: as committed, and executed anew."""

from __future__ import annotations

from pathlib import Path

from executed import assert_one_whole_run, printed

from matexapps.batch.run import run_notebook

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "00_start_here.ipynb"


def test_it_is_committed_with_the_outputs_of_one_run_from_top_to_bottom():
    assert_one_whole_run(NOTEBOOK)
    assert "done after" in printed(NOTEBOOK)
    assert NOTEBOOK.stat().st_size < 200_000


def test_it_runs_on_three_ranks_and_says_what_it_promises(tmp_path):
    run = run_notebook(NOTEBOOK, tmp_path, n=3, parameters={"epochs": 4})
    text = printed(run.notebook)
    assert "epoch 4/4" in text
    assert "host memory" in text
    right = {
        line.split("%")[0].rsplit(None, 1)[0]: float(line.split("%")[0].rsplit(None, 1)[1])
        for line in text.splitlines()
        if "% interval" in line
    }
    assert right.keys() == {"network", "logistic regression"}
    # Four epochs bring it far above chance, which is a tenth.
    assert right["network"] > 80.0
    assert right["logistic regression"] > 90.0
    assert run.page.read_text().count("data:image/png;base64") >= 1
