"""Options of the commands that train on molecules."""

from __future__ import annotations

from typing import Annotated

import typer

Members = Annotated[int | None, typer.Option(min=1, help="Networks of the ensemble.")]
Epochs = Annotated[int | None, typer.Option(min=1, help="Passes over the molecules.")]
BatchSize = Annotated[
    int | None, typer.Option(min=1, help="Molecules a step, of all ranks together.")
]
Cache = Annotated[
    str | None, typer.Option(metavar="FOLDER", help="Keep features there for the next time.")
]
