"""The first notebook: as committed, and executed anew."""

from __future__ import annotations

from pathlib import Path

import nbformat

from matexapps.batch.run import run_notebook

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "00_start_here.ipynb"


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
