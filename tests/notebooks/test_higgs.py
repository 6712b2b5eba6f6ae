"""The Higgs notebook: as committed, and executed anew on a part of the sample."""

from __future__ import annotations

from pathlib import Path

import nbformat

from matexapps.batch.run import run_notebook

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "higgs.ipynb"


def printed(path: Path) -> str:
    """Everything the notebook's cells say in text."""
    parts = []
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", []):
            parts.append(output.get("text", "") or output.get("data", {}).get("text/plain", ""))
    return "\n".join(parts)


def test_it_is_committed_with_the_outputs_of_one_run_from_top_to_bottom():
    cells = [
        cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"
    ]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    kinds = {output.output_type for cell in cells for output in cell.outputs}
    assert "error" not in kinds
    assert "standard deviations with the cut" in printed(NOTEBOOK)
    assert NOTEBOOK.stat().st_size < 500_000


def test_it_runs_on_two_ranks_with_every_picture(tmp_path):
    run = run_notebook(NOTEBOOK, tmp_path, n=2, parameters={"rows": 1500, "epochs": 2})
    text = printed(run.notebook)
    assert "epoch 2/2" in text
    assert "rows: train 1,050, validation 150, test 300" in text
    assert "logistic_regression" in text
    assert run.notebook.read_text().count('"image/png"') == 3
    assert run.page.read_text().count("data:image/png;base64") >= 3
