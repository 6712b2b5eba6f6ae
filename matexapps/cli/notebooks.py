"""``matexapps check`` and ``run``."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Annotated, Any

import typer

from matexapps.cli.options import console
from matexapps.errors import BatchError
from matexapps.experiment.cli.app import Ranks


def check(n: Ranks = 2) -> None:
    """Start MPI ranks once and say, for whatever keeps them from it, what to do."""
    from matexapps.launch import preflight

    screen = console()
    findings = preflight.check(n)
    for finding in findings:
        word = "[red]FAILED[/]" if not finding.ok else "[yellow]note[/]" if finding.cure else "ok"
        screen.print(f"{word:<8} [bold]{finding.name:<9}[/]", end="")
        screen.print(finding.message, markup=False)
        if finding.cure:
            screen.print(f"{'':<18}-> {finding.cure}", markup=False)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def run(
    notebooks: Annotated[list[Path], typer.Argument(help="One notebook or more.")],
    n: Ranks = 2,
    parameters: Annotated[
        list[str] | None,
        typer.Option(
            "-p",
            metavar="NAME VALUE",
            help="A value for a name in the cell tagged 'parameters'; may be given repeatedly.",
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder for executed notebooks and pages.")
    ] = Path("build"),
) -> None:
    """Execute notebooks on MPI ranks and make an HTML page, plots included, of each.

    In a notebook, Cluster() without a number takes the number of ranks given here.
    """
    from matexapps.batch.pages import write_index
    from matexapps.batch.run import run_notebook

    chosen = dict(_parameter(text) for text in parameters or [])
    screen = console()
    done = []
    for notebook in notebooks:
        screen.print(f"[bold]{notebook}[/] on {n} ranks")
        done.append(run_notebook(notebook, output, n, chosen))
        screen.print(f"{done[-1].page} after {done[-1].seconds:.0f} s", highlight=False)
    if len(done) > 1:
        screen.print(f"{write_index(done, output / 'index.html')} links them")


def _parameter(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    if not name.isidentifier():
        raise BatchError(f"-p wants NAME VALUE, as in `-p epochs 5`, but got {text!r}")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def join_parameters(arguments: list[str]) -> list[str]:
    """Return the words with each `-p NAME VALUE` as `-p NAME=VALUE`."""
    # Typer has no repeatable option of two words.
    joined: list[str] = []
    words = iter(arguments)
    for word in words:
        joined.append(word)
        if word == "-p":
            name = next(words, "")
            value = next(words, None)
            joined.append(name if value is None else f"{name}={value}")
    return joined
