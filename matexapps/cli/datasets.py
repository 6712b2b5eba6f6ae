"""``matexapps datasets``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from matexapps.cli.options import Ranks, console, group, on_ranks

datasets = group("Find, show, make and fetch data sets.")
make = group("Make a data set by simulation.")
datasets.add_typer(
    make,
    name="make",
    epilog="For example:  matexapps datasets make higgs --events 1000 -n 2 --out higgs.h5",
)


@datasets.command("list", epilog="For example:  matexapps datasets list")
def list_datasets() -> None:
    """List all data sets of the catalog, and which are on this machine."""
    from rich.table import Table

    from matexapps.data.catalog import catalog

    table = Table("name", "rows", "here", "simulated", "what it is", box=None, pad_edge=False)
    for entry in catalog.entries():
        rows = "" if entry.rows is None else f"{entry.rows:,}"
        here = "yes" if catalog.find(entry.name) else "no"
        table.add_row(entry.name, rows, here, "yes" if entry.simulated else "no", entry.title)
    table.columns[0].no_wrap = True
    table.columns[1].justify = "right"
    console().print(table)


@datasets.command("show", epilog="For example:  matexapps datasets show higgs")
def show_dataset(name: Annotated[str, typer.Argument(help="As in the list.")]) -> None:
    """Show what is known of a data set: columns, source, license, where its file is."""
    from rich.markdown import Markdown

    from matexapps.data.catalog import catalog

    entry = catalog.entry(name)
    console().print(Markdown(entry.as_markdown()))
    path = catalog.find(name)
    typer.echo(f"\nOn this machine: {path or 'no'}")


@datasets.command("get", epilog="For example:  matexapps datasets get higgs")
def get_dataset(name: Annotated[str, typer.Argument(help="As in the list.")]) -> None:
    """Print the path of a data set's file, fetching the file first if need be."""
    from matexapps.data.catalog import catalog

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
    on_ranks("matexapps.apps.higgs.simulation", settings, n)
