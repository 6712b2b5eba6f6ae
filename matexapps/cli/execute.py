"""``matexapps exec``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from matexapps.cli.options import console
from matexapps.errors import TrainingError, did_you_mean
from matexapps.experiment.cli.app import Ranks


def execute(
    context: typer.Context,
    script: Annotated[Path, typer.Argument(help="A Python program, as it is.")],
    n: Ranks = 2,
    weak: Annotated[
        bool,
        typer.Option(
            "--weak",
            help="Keep the batch size for each rank; learning rates are multiplied by the ranks.",
        ),
    ] = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Run the first steps on one rank and on all, and report the first difference.",
        ),
    ] = False,
    steps: Annotated[int, typer.Option(min=1, help="How many steps --check compares.")] = 5,
) -> None:
    """Run a PyTorch or Keras program, written for one process, on MPI ranks.

    Its batch sizes are those of the global batch, and its results those of one process.

    What follows the program is its own command line; write -- before options that are also ours.
    """
    from matexapps.launch.mpiexec import run_on_ranks

    _require_program(script)
    if check:
        _compare(script, context.args, n, steps)
        return
    words = [*(["--weak"] if weak else []), str(script), *context.args]
    environment = {"PYTHONHASHSEED": os.environ.get("PYTHONHASHSEED", "0")}
    status = run_on_ranks("matexapps", words, n, environment, reads_stdin=True)
    if status:
        raise typer.Exit(status)


def _compare(script: Path, arguments: list[str], n: int, steps: int) -> None:
    from matexapps.transparent.checking.check import compare_ranks

    comparison = compare_ranks(script, arguments, n, steps)
    console().print(str(comparison), markup=False)
    if comparison.difference is not None:
        raise typer.Exit(1)


def _require_program(script: Path) -> None:
    if script.suffix == ".ipynb":
        raise TrainingError(
            f"{str(script)!r} is a notebook; run it with: matexapps run {script} -n 2"
        )
    if not script.is_file():
        programs = [path.name for path in script.parent.glob("*.py")]
        near = did_you_mean(script.name, programs)
        raise TrainingError(f"there is no program {str(script)!r}{near}")
