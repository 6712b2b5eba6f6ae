"""Notebooks without anybody looking: executed, and made into pages."""

from __future__ import annotations

import ast
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matexapps.batch.pages import write_page
from matexapps.cluster.cluster import RANKS
from matexapps.cluster.view.progress_view import HEADLESS
from matexapps.errors import BatchError, did_you_mean
from matexapps.files import publish

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


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


def run_notebook(
    path: Path | str,
    output_folder: Path | str = "build",
    n: int = 2,
    parameters: Mapping[str, Any] | None = None,
) -> NotebookRun:
    """Execute a notebook in its own folder, and write it and its HTML page to another.

    What its cells print appears here while they run. A ``Cluster()`` in it that does not say how
    many ranks it wants gets ``n``: the environment of its kernel has ``MATEXAPPS_RANKS``.

    Parameters
    ----------
    path : path
        The notebook; it is left as it is.
    output_folder : path
        Where ``NAME.ipynb`` and ``NAME.html`` go, once both are complete.
    n : int
        Number of ranks.
    parameters : mapping, optional
        New values for names in the notebook's cell with the tag ``parameters``.

    Raises
    ------
    BatchError
        If the notebook cannot be read, has no such parameter, or fails; then the message shows
        cell, output and traceback, and the notebook as far as it came is ``NAME.failed.ipynb``.
    """
    source, folder = Path(path).absolute(), Path(output_folder).absolute()
    chosen = dict(parameters or {})
    _check(source, n, chosen)
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f".{source.stem}.running.ipynb"
    began = time.monotonic()
    try:
        _execute(source, unfinished, n, chosen)
        page = write_page(unfinished, folder / f"{source.stem}.html")
        notebook = folder / source.name
        publish(unfinished, notebook)
    finally:
        unfinished.unlink(missing_ok=True)
    return NotebookRun(notebook, page, n, chosen, time.monotonic() - began)


def _check(source: Path, n: int, parameters: dict[str, Any]) -> None:
    import nbformat

    if n < 1:
        raise BatchError(f"cannot run a notebook on {n} ranks; ask for 1 or more")
    if not source.is_file():
        near = did_you_mean(source.name, [path.name for path in source.parent.glob("*.ipynb")])
        raise BatchError(f"there is no notebook {source}{near}")
    try:
        notebook = nbformat.read(source, as_version=4)
    except Exception as error:
        raise BatchError(f"{source} cannot be read as a notebook: {error}") from error
    known = _parameter_names(notebook)
    for name in parameters:
        if name not in known:
            listed = ", ".join(known) or "none: no cell has the tag 'parameters'"
            near = did_you_mean(name, known)
            raise BatchError(f"{source.name} has no parameter {name!r}{near}; it has {listed}")


def _parameter_names(notebook: Any) -> list[str]:
    names = []
    for cell in notebook.cells:
        if cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", []):
            for statement in _statements(cell.source):
                targets = getattr(statement, "targets", [getattr(statement, "target", None)])
                names += [name.id for target in targets for name in _named(target)]
    return names


def _named(target: ast.expr | None) -> list[ast.Name]:
    parts = target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]
    return [part for part in parts if isinstance(part, ast.Name)]


def _statements(source: str) -> list[ast.stmt]:
    try:
        return ast.parse(source).body
    except SyntaxError:
        # Its kernel will say so, with the line.
        return []


def _execute(source: Path, output: Path, n: int, parameters: dict[str, Any]) -> None:
    import papermill
    from papermill.exceptions import PapermillExecutionError
    from traitlets.config import Config

    from matexapps.batch import engine

    encrypted = Config({"KernelManager": {"transport_encryption": "auto"}})
    try:
        # Cells that call programs find those of this environment.
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        with _environment({RANKS: str(n), HEADLESS: "1", "PATH": path}):
            papermill.execute_notebook(
                str(source),
                str(output),
                parameters=parameters,
                # Whatever environment it was written in, this one has matexapps.
                kernel_name="python3",
                language="python",
                cwd=str(source.parent),
                engine_name=engine.register(),
                config=encrypted,
                progress_bar=sys.stderr.isatty(),
                stdout_file=sys.stdout,
                stderr_file=sys.stderr,
            )
    except PapermillExecutionError as error:
        failed = output.with_name(f"{source.stem}.failed.ipynb")
        os.replace(output, failed)
        raise BatchError(_describe(source, failed, error)) from None


def _describe(source: Path, failed: Path, error: Any) -> str:
    import nbformat

    printed = "".join(
        output["text"]
        for cell in nbformat.read(failed, as_version=4).cells
        if cell.cell_type == "code" and cell.execution_count == error.exec_count
        for output in cell.outputs
        if output.output_type == "stream"
    )
    trace = _COLOURS.sub("", "\n".join(error.traceback))
    parts = [
        f"{source.name} failed in cell [{error.exec_count}] with {error.ename}: "
        f"{error.evalue.splitlines()[0] if error.evalue else ''}",
        "--- the cell ---",
        error.source.rstrip(),
        *(["--- its output ---", printed.rstrip()] if printed.strip() else []),
        "--- the traceback ---",
        trace.rstrip(),
        f"--- as far as it came: {failed} ---",
    ]
    return "\n".join(parts)


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    # A kernel takes this process's environment, and papermill has no other way to add to it.
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
