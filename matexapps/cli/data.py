"""``matexapps data``."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Annotated, Any

import typer

from matexapps.cli.options import Ranks, console
from matexapps.cli.progress_bar import progress_bar


def data(
    file: Annotated[
        str,
        typer.Argument(help="File, folder, pattern such as 'runs/*.csv', or name."),
    ],
    label: Annotated[
        str | None,
        typer.Option(help="Name, or position from 0, of the label; without, the one called label."),
    ] = None,
    weight: Annotated[str | None, typer.Option(help="Name or position of the weights.")] = None,
    n: Ranks = 2,
    memory: Annotated[
        str, typer.Option(metavar="SIZE", help="What a rank may hold of the rows.")
    ] = "2GB",
    dimension: Annotated[
        str | None, typer.Option(help="The dimension of a NetCDF file that the rows run along.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the facts as one line of JSON, last.")
    ] = False,
) -> None:
    """Say what is in a file: columns, missing cells, classes, memory, shares of the ranks."""
    from matexapps.cli.overview_view import show
    from matexapps.data.overview.overview import overview
    from matexapps.data.schema import Schema

    with progress_bar():
        facts = overview(
            file,
            label=_column(label),
            weight=_column(weight),
            ranks=n,
            memory=memory,
            schema=Schema(dimension=dimension),
        )
    show(facts, console())
    if as_json:
        typer.echo(json.dumps(_finite(asdict(facts))))


def _column(text: str | None) -> str | int | None:
    """Return a position where the text is a whole number, else the name that it is."""
    return int(text) if text is not None and text.lstrip("-").isdecimal() else text


def _finite(value: Any) -> Any:
    """Return a value with null for each number that JSON does not have."""
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
