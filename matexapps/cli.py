"""The command line: ``matexapps check``, ``run``, ``train`` and ``datasets``.

Commands import what they need when they run, so that ``--help`` answers at once.
"""

from __future__ import annotations

import ast
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from matexapps.errors import BatchError, MatexError

if TYPE_CHECKING:
    from rich.console import Console

_SETTINGS = {"no_args_is_help": True, "add_completion": False, "pretty_exceptions_enable": False}
app = typer.Typer(
    help="Distributed deep learning for domain scientists, from Jupyter notebooks, on MPI.",
    epilog="For example:  matexapps run notebooks/higgs.ipynb -n 2",
    **_SETTINGS,  # type: ignore[arg-type]
)
train = typer.Typer(help="Train one of the applications.", **_SETTINGS)  # type: ignore[arg-type]
datasets = typer.Typer(help="Find, show, make and fetch data sets.", **_SETTINGS)  # type: ignore[arg-type]
make = typer.Typer(help="Make a data set by simulation.", **_SETTINGS)  # type: ignore[arg-type]
app.add_typer(train, name="train", epilog="For example:  matexapps train higgs -n 2 --epochs 5")
app.add_typer(datasets, name="datasets", epilog="For example:  matexapps datasets list")
datasets.add_typer(
    make,
    name="make",
    epilog="For example:  matexapps datasets make higgs --events 1000 -n 2 --out higgs.h5",
)

Ranks = Annotated[int, typer.Option("-n", "--ranks", min=1, help="Number of MPI ranks.")]


@app.command(epilog="For example:  matexapps check -n 4")
def check(n: Ranks = 2) -> None:
    """Start MPI ranks once and say, for whatever keeps them from it, what to do."""
    from matexapps.comm import preflight

    console = _console()
    findings = preflight.check(n)
    for finding in findings:
        word = "[red]FAILED[/]" if not finding.ok else "[yellow]note[/]" if finding.cure else "ok"
        console.print(f"{word:<8} [bold]{finding.name:<9}[/]", end="")
        console.print(finding.message, markup=False)
        if finding.cure:
            console.print(f"{'':<18}-> {finding.cure}", markup=False)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


@app.command(
    epilog="For example:  matexapps run notebooks/00_start_here.ipynb -n 3 -p epochs 5",
)
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
    console = _console()
    done = []
    for notebook in notebooks:
        console.print(f"[bold]{notebook}[/] on {n} ranks")
        done.append(run_notebook(notebook, output, n, chosen))
        console.print(f"{done[-1].page} after {done[-1].seconds:.0f} s", highlight=False)
    if len(done) > 1:
        console.print(f"{write_index(done, output / 'index.html')} links them")


@train.callback()
def train_an_application() -> None:
    """Train one of the applications."""


@train.command(
    "higgs",
    epilog="For example:  matexapps train higgs --data HIGGS.csv.gz -n 4 --epochs 20 --json",
)
def train_higgs(
    data: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="CSV, CSV.gz, HDF5, or a name of the catalogue; the simulated sample without.",
        ),
    ] = None,
    test: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="A test file of its own; a fifth of the rows without."),
    ] = None,
    n: Ranks = 2,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the rows.")] = None,
    network: Annotated[str | None, typer.Option(help="dnn2014 or present.")] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Rows a step, of all ranks together.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="How many trainings; 3 if not given.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="The first training's seed.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the results as one line of JSON, last.")
    ] = False,
) -> None:
    """Train the Higgs classifier, and compare it with simpler methods on the same rows."""
    given = {
        "data": data,
        "test": test,
        "epochs": epochs,
        "network": network,
        "batch_size": batch_size,
        "seeds": seeds,
        "seed": seed,
    }
    settings = {name: value for name, value in given.items() if value is not None}
    _on_ranks("matexapps.apps.higgs", {**settings, "json": as_json}, n)


@datasets.command("list", epilog="For example:  matexapps datasets list")
def list_datasets() -> None:
    """List all data sets of the catalogue, and which are on this machine."""
    from rich.table import Table

    from matexapps.data import catalog

    table = Table("name", "rows", "here", "simulated", "what it is", box=None, pad_edge=False)
    for entry in catalog.entries():
        rows = "" if entry.rows is None else f"{entry.rows:,}"
        here = "yes" if catalog.find(entry.name) else "no"
        table.add_row(entry.name, rows, here, "yes" if entry.simulated else "no", entry.title)
    table.columns[0].no_wrap = True
    table.columns[1].justify = "right"
    _console().print(table)


@datasets.command("show", epilog="For example:  matexapps datasets show higgs")
def show_dataset(name: Annotated[str, typer.Argument(help="As in the list.")]) -> None:
    """Show what is known of a data set: columns, source, licence, where its file is."""
    from rich.markdown import Markdown

    from matexapps.data import catalog

    entry = catalog.entry(name)
    _console().print(Markdown(entry.as_markdown()))
    path = catalog.find(name)
    typer.echo(f"\nOn this machine: {path or 'no'}")


@datasets.command("get", epilog="For example:  matexapps datasets get higgs")
def get_dataset(name: Annotated[str, typer.Argument(help="As in the list.")]) -> None:
    """Print the path of a data set's file, fetching the file first if need be."""
    from matexapps.data import catalog

    typer.echo(catalog.get(name))


@make.callback()
def make_a_dataset() -> None:
    """Make a data set by simulation."""


@make.command(
    "higgs",
    epilog="For example:  matexapps datasets make higgs --events 100000 -n 8 --out higgs.h5",
)
def make_higgs(
    events: Annotated[int, typer.Option(min=1, help="Accepted events, of both classes together.")],
    out: Annotated[Path, typer.Option(help="The HDF5 file to write.")],
    n: Ranks = 2,
    seed: Annotated[int, typer.Option(min=0, help="The same seed, the same events.")] = 0,
) -> None:
    """Simulate collisions with PYTHIA 8 and FastJet: the same events for any number of ranks."""
    settings = {"events": events, "out": str(out), "seed": seed}
    _on_ranks("matexapps.apps.higgs.simulation", settings, n)


def _on_ranks(module: str, settings: dict[str, Any], n: int) -> None:
    from matexapps.comm.launch import run_on_ranks

    status = run_on_ranks(module, [json.dumps(settings)], n)
    if status:
        raise typer.Exit(status)


def _parameter(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    if not name.isidentifier():
        raise BatchError(f"-p wants NAME VALUE, as in `-p epochs 5`, but got {text!r}")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def _join_parameters(arguments: list[str]) -> list[str]:
    # Typer has no repeatable option of two words, so `-p NAME VALUE` becomes `-p NAME=VALUE`.
    joined: list[str] = []
    words = iter(arguments)
    for word in words:
        joined.append(word)
        if word == "-p":
            name = next(words, "")
            value = next(words, None)
            joined.append(name if value is None else f"{name}={value}")
    return joined


def _console(stderr: bool = False) -> Console:
    from rich.console import Console

    return Console(stderr=stderr, soft_wrap=True, highlight=False)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; an error of matexapps ends it with one line and status 1."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        app(_join_parameters(words), prog_name="matexapps")
    except MatexError as error:
        if os.environ.get("MATEXAPPS_DEBUG"):
            raise
        first, *more = str(error).split("\n")
        _console(stderr=True).print(first, style="red", markup=False)
        for line in more:
            print(line, file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
