"""The first notebook: as committed, and executed anew."""

from __future__ import annotations

import re
from pathlib import Path

from executed import assert_one_complete_run, printed

from matexapps.batch.run import run_notebook

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "00_start_here.ipynb"


def test_it_is_committed_with_the_outputs_of_one_run_from_top_to_bottom():
    assert_one_complete_run(NOTEBOOK)
    text = printed(NOTEBOOK)
    assert "done after" in text
    assert "at epoch 20, best" in text  # the curves
    assert "What the other ranks were doing" in text
    content = NOTEBOOK.read_text()
    assert len(content) < 200_000
    assert not re.search(r'File (\\"|&quot;)/', content)  # a file of the machine it ran on
    assert "widget" not in content


def test_it_runs_on_three_ranks_and_says_what_it_promises(tmp_path):
    run = run_notebook(NOTEBOOK, tmp_path, n=3, parameters={"epochs": 4})
    text = printed(run.notebook)
    assert "[ranks 0-2] 1,797 handwritten digits for 3 ranks" in text
    assert text.count("[ranks 0-2] mean of all pixels: 4.884") == 2  # also after the mistake
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
    assert "rank 2 of 3 on " in text
    assert "IndexError: list index out of range" in text
    for rank in range(3):
        assert f"rank-{rank}.log" in text
    assert run.page.read_text().count("data:image/png;base64") >= 1
