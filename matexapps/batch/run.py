"""Notebooks executed without a person watching, and written as pages."""

from __future__ import annotations

import ast
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from matexapps.batch.pages import NotebookRun, write_page
from matexapps.cluster.cluster import RANKS
from matexapps.cluster.view.progress_view import HEADLESS
from matexapps.errors import BatchError, did_you_mean
from matexapps.files import publish

_COLORS = re.compile(r"\x1b\[[0-9;]*m")


def run_notebook(
    path: Path | str,
    output_folder: Path | str = "build",
    n: int = 2,
    parameters: Mapping[str, Any] | None = None,
) -> NotebookRun:
    """Execute a notebook in its own folder, and write it and its HTML page to another one.

    What its cells print is printed here while they run. A ``Cluster()`` in it without a number of
    ranks has ``n``, because its kernel's environment sets ``MATEXAPPS_RANKS``.

    Parameters
    ----------
    path : path
        The notebook; it is not changed.
    output_folder : path
        Receives ``NAME.ipynb`` and ``NAME.html`` when both are complete.
    n : int
        Number of ranks.
    parameters : mapping, optional
        New values for names in the notebook's cell that has the tag ``parameters``.

    Raises
    ------
    BatchError
        If the notebook cannot be read, has no such parameter, or fails. The message of a failure
        shows cell, output and traceback; ``NAME.failed.ipynb`` is the notebook as far as it ran.
    """
    source, folder = Path(path).absolute(), Path(output_folder).absolute()
    values = dict(parameters or {})
    _check(source, n, values)
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f".{source.stem}.running.ipynb"
    start = time.monotonic()
    try:
        _execute(source, unfinished, n, values)
        page = write_page(unfinished, folder / f"{source.stem}.html")
        notebook = folder / source.name
        publish(unfinished, notebook)
    finally:
        unfinished.unlink(missing_ok=True)
    return NotebookRun(notebook, page, n, values, time.monotonic() - start)


def _check(source: Path, n: int, parameters: dict[str, Any]) -> None:
    import nbformat

    if n < 1:
        raise BatchError(f"cannot run a notebook on {n} ranks; ask for 1 or more")
    if not source.is_file():
        hint = did_you_mean(source.name, [path.name for path in source.parent.glob("*.ipynb")])
        raise BatchError(f"there is no notebook {source}{hint}")
    try:
        notebook = nbformat.read(source, as_version=4)
    except Exception as error:
        raise BatchError(f"{source} cannot be read as a notebook: {error}") from error
    known = _parameter_names(notebook)
    for name in parameters:
        if name not in known:
            hint = did_you_mean(name, known)
            names = ", ".join(known) or "none: no cell has the tag 'parameters'"
            raise BatchError(f"{source.name} has no parameter {name!r}{hint}; it has {names}")


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
        # Its kernel will report it, with the line.
        return []


def _execute(source: Path, output: Path, n: int, parameters: dict[str, Any]) -> None:
    import papermill
    from papermill.exceptions import PapermillExecutionError
    from traitlets.config import Config

    from matexapps.batch import engine

    encrypted = Config({"KernelManager": {"transport_encryption": "auto"}})
    try:
        # So that cells that call programs find those of this environment.
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        with _environment({RANKS: str(n), HEADLESS: "1", "PATH": path}):
            papermill.execute_notebook(
                str(source),
                str(output),
                parameters=parameters,
                # It may have been written in another environment; this one has matexapps.
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
    trace = _COLORS.sub("", "\n".join(error.traceback))
    parts = [
        f"{source.name} failed in cell [{error.exec_count}] with {error.ename}: "
        f"{error.evalue.splitlines()[0] if error.evalue else ''}",
        "--- the cell ---",
        error.source.rstrip(),
        *(["--- its output ---", printed.rstrip()] if printed.strip() else []),
        "--- the traceback ---",
        trace.rstrip(),
        f"--- the notebook as far as it ran: {failed} ---",
    ]
    return "\n".join(parts)


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    # A kernel inherits this process's environment, and papermill has no other way to add to it.
    previous = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in previous.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
