"""``matexapps data``."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from matexapps.cli.options import console
from matexapps.cli.progress_bar import progress_bar
from matexapps.experiment.cli.app import Ranks


def data(
    file: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE", help="File, folder, pattern in quotes such as 'runs/*.csv', or name."
        ),
    ],
    label: Annotated[
        str | None,
        typer.Option(help="Name, or position from 0, of the label; without, the one called label."),
    ] = None,
    weight: Annotated[str | None, typer.Option(help="Name or position of the weights.")] = None,
    features: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Names of the features; without, all other columns."),
    ] = None,
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
    from matexapps.data.schema.schema import Schema

    if len(file) > 1:
        raise typer.BadParameter(
            f"got {len(file)} files; name their folder, or put a pattern in quotes, as in "
            f"'{Path(file[0]).parent / '*'}{Path(file[0]).suffix}'"
        )
    named = None if features is None else [_column(one.strip()) for one in features.split(",")]
    with progress_bar():
        facts = overview(
            file[0],
            label=None if label is None else _column(label),
            weight=None if weight is None else _column(weight),
            ranks=n,
            memory=memory,
            schema=Schema(features=named, dimension=dimension),
        )
    show(facts, console())
    if as_json:
        typer.echo(json.dumps(_finite(asdict(facts))))


def _column(text: str) -> str | int:
    """Return a position where the text is a whole number, else the name that it is."""
    return int(text) if text.lstrip("-").isdecimal() else text


def _finite(value: Any) -> Any:
    """Return a value with null for each number that JSON does not have."""
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
