"""``matexapps datasets``."""

from __future__ import annotations

from typing import Annotated

import typer

from matexapps.cli.options import console, group

datasets = group("Find, show and fetch data sets.")


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
