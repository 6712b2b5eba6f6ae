"""The notebook about a loop written for one process: as committed, and executed anew."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import nbformat
import pytest
from executed import assert_one_complete_run, printed

from matexapps.batch.run import run_notebook

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "plain_pytorch.ipynb"
SHARED = "%%mpi --distribute\n"


def losses(text: str) -> list[tuple[str, float]]:
    """The lines of the loop, each epoch with its loss."""
    lines = re.findall(r"^(epoch +\d+): loss (\d+\.\d+)", text, re.MULTILINE)
    return [(epoch, float(loss)) for epoch, loss in lines]


def test_it_is_committed_with_the_outputs_of_one_run_from_top_to_bottom():
    assert_one_complete_run(NOTEBOOK)
    text = printed(NOTEBOOK)
    assert "losses alike in all printed digits: True" in text
    assert "the same on one rank and on several" in text
    content = NOTEBOOK.read_text()
    assert content.count('"image/png"') == 1
    assert len(content) < 200_000


def test_the_cell_on_ranks_is_the_cell_that_ran_alone():
    sources = [cell.source for cell in nbformat.read(NOTEBOOK, as_version=4).cells]
    (loop,) = (source for source in sources if "loss.backward()" in source and "%%" not in source)
    assert SHARED + loop in sources


@pytest.mark.slow  # five programs are started, and timed
def test_it_runs_on_two_ranks_with_the_result_of_one(tmp_path):
    copy = Path(shutil.copy(NOTEBOOK, tmp_path))  # it writes a script beside itself
    parameters = {"epochs": 3, "narrow": 4, "wide": 6}
    run = run_notebook(copy, tmp_path / "pages", n=2, parameters=parameters)
    text = printed(run.notebook)
    (alone, loss), (on_ranks, loss_on_ranks) = losses(text)
    assert alone == on_ranks == "epoch  3"
    assert loss_on_ranks == pytest.approx(loss, abs=2e-4)
    assert "the program sees 450 rows" in text
    for rank in range(2):
        assert f"rank {rank} computed 225" in text
    assert "the same on one rank and on several: 5 steps, 5 calls of networks" in text
    assert text.count("ms a step") == 6
    assert "data:image/png;base64" in run.page.read_text()
