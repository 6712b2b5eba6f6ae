"""Executed notebooks, their HTML pages, and the page that links these."""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matexapps.errors import BatchError
from matexapps.files import atomic_file


@dataclass(frozen=True)
class NotebookRun:
    """A notebook that was executed to its end.

    Attributes
    ----------
    notebook : Path
        The executed notebook.
    page : Path
        The same as an HTML page, plots included.
    n : int
        Number of ranks.
    parameters : dict
        What was set in place of the notebook's own parameters.
    seconds : float
        How long it took.
    """

    notebook: Path
    page: Path
    n: int
    parameters: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0


def write_page(notebook: Path, page: Path) -> Path:
    """Write an executed notebook as one HTML page that contains its plots; return the path."""
    from nbconvert import HTMLExporter

    resources = {"metadata": {"name": page.stem}}
    content, _ = HTMLExporter().from_filename(str(notebook), resources=resources)
    with atomic_file(page, BatchError) as partial:
        partial.write_text(content, encoding="utf-8")
    return page


def write_index(runs: Sequence[NotebookRun], page: Path) -> Path:
    """Write a page that links the pages of several runs; return its path."""
    rows = "\n".join(_row(run, page.parent) for run in runs)
    content = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>matexapps: executed notebooks</title>
<style>
body {{ font: 16px/1.5 sans-serif; max-width: 50em; margin: 2em auto; padding: 0 1em; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; padding: .4em .8em .4em 0; border-bottom: 1px solid #bbb; }}
td.number, th.number {{ text-align: right; font-variant-numeric: tabular-nums; }}
</style>
</head>
<body>
<h1>Executed notebooks</h1>
<table>
<tr><th>page</th><th>parameters</th><th class="number">ranks</th><th class="number">time</th></tr>
{rows}
</table>
</body>
</html>
"""
    with atomic_file(page, BatchError) as partial:
        partial.write_text(content, encoding="utf-8")
    return page


def _row(run: NotebookRun, folder: Path) -> str:
    link = html.escape(os.path.relpath(run.page, folder), quote=True)
    parameters = ", ".join(f"{name} = {value!r}" for name, value in run.parameters.items())
    return (
        f'<tr><td><a href="{link}">{html.escape(run.page.stem)}</a></td>'
        f'<td>{html.escape(parameters or "its own")}</td><td class="number">{run.n}</td>'
        f'<td class="number">{run.seconds:.0f} s</td></tr>'
    )
