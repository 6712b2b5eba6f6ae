"""What several commands share: options, settings, the console, work on ranks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

RESTARTS = 3
SETTINGS = {"no_args_is_help": True, "add_completion": False, "pretty_exceptions_enable": False}

Ranks = Annotated[int, typer.Option("-n", "--ranks", min=1, help="Number of MPI ranks.")]
Recovery = Annotated[
    str | None,
    typer.Option(
        help="When ranks die: shrink (the others go on; the default where MPI can do it), "
        "reinit (new ranks take their place, and all go on from memory), "
        f"checkpoint (all start again from files, up to {RESTARTS} times), or abort."
    ),
]
Checkpoints = Annotated[
    str | None,
    typer.Option(metavar="FOLDER", help="Keep checkpoints there; run again, the command goes on."),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print the results as one line of JSON, last.")
]


def group(help_text: str) -> typer.Typer:
    """Return an empty group of commands."""
    return typer.Typer(help=help_text, **SETTINGS)  # type: ignore[arg-type]


def console(stderr: bool = False) -> Console:
    """Return a console that leaves numbers and long lines as they are."""
    from rich.console import Console

    return Console(stderr=stderr, soft_wrap=True, highlight=False)


def on_ranks(module: str, given: dict[str, Any], n: int) -> None:
    """Run a module on ``n`` MPI ranks; where it fails, leave with its status.

    Settings that are None were not given, and are the module's to choose. What is done when ranks
    die follows from ``given["recovery"]``.
    """
    from matexapps.launch.mpiexec import require_fault_tolerance, run_on_ranks

    settings = {name: value for name, value in given.items() if value is not None}
    recovery = settings.get("recovery")
    if recovery in ("shrink", "reinit") and n > 1:
        require_fault_tolerance(recovery)
    status = run_on_ranks(
        module,
        [json.dumps(settings)],
        n,
        fault_tolerant=recovery in (None, "shrink", "reinit"),
        restarts=RESTARTS if recovery == "checkpoint" else 0,
    )
    if status:
        raise typer.Exit(status)
