"""What several commands share: options, settings, the console."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

RESTARTS = 3
SETTINGS = {"no_args_is_help": True, "add_completion": False, "pretty_exceptions_enable": False}

Ranks = Annotated[int, typer.Option("-n", "--ranks", min=1, help="Number of MPI ranks.")]


def group(help_text: str) -> typer.Typer:
    """Return an empty group of commands."""
    return typer.Typer(help=help_text, **SETTINGS)  # type: ignore[arg-type]


def console(stderr: bool = False) -> Console:
    """Return a console that leaves numbers and long lines as they are."""
    from rich.console import Console

    return Console(stderr=stderr, soft_wrap=True, highlight=False)
