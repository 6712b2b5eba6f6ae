"""The text of an executed notebook, and whether it comes from one run from top to bottom."""

from __future__ import annotations

from pathlib import Path

import nbformat


def printed(path: Path) -> str:
    """All text in the outputs of the notebook's cells."""
    parts = []
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", []):
            parts.append(output.get("text", "") or output.get("data", {}).get("text/plain", ""))
    return "\n".join(parts)


def assert_one_complete_run(path: Path) -> None:
    """Check that every code cell was executed once, in order, without an error.

    Its metadata must not say where that was.
    """
    notebook = nbformat.read(path, as_version=4)
    assert "papermill" not in notebook.metadata
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    kinds = {output.output_type for cell in cells for output in cell.outputs}
    assert "error" not in kinds
