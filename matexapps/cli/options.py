"""What several commands share: the console, groups of commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from matexapps.experiment.cli.app import SETTINGS

if TYPE_CHECKING:
    from rich.console import Console


def group(help_text: str) -> typer.Typer:
    """Return an empty group of commands."""
    return typer.Typer(help=help_text, **SETTINGS)


def console(stderr: bool = False) -> Console:
    """Return a console that leaves numbers and long lines as they are."""
    from rich.console import Console

    return Console(stderr=stderr, soft_wrap=True, highlight=False)
