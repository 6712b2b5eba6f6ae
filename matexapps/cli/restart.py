"""``matexapps restart``."""

from __future__ import annotations

from typing import Annotated

import typer

from matexapps.experiment.cli.app import RESTARTS


def restart(
    command: Annotated[
        list[str],
        typer.Argument(help="A command line that starts ranks, as in: mpiexec -n 4 python x.py"),
    ],
    restarts: Annotated[int, typer.Option(min=0, help="How often at most.")] = RESTARTS,
) -> None:
    """Run a command of any MPI, and run it again when a rank has died.

    For programs that go on from their checkpoints, as with recovery="checkpoint" and
    fit(resume=folder). It waits 1 s, 2 s, 4 s and so on before it starts again.
    """
    from matexapps.launch.mpiexec import run_and_restart

    status = run_and_restart(command, restarts)
    if status:
        raise typer.Exit(status)
