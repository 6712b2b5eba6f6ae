"""The command line: ``matexapps DOMAIN VERB``, and what belongs to no domain.

Commands import what they need when they run, so that ``--help`` answers at once.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from matexapps.cli.convert import convert
from matexapps.cli.data import data
from matexapps.cli.datasets import datasets
from matexapps.cli.execute import execute
from matexapps.cli.notebooks import check, join_parameters, run
from matexapps.cli.options import console
from matexapps.cli.restart import restart
from matexapps.errors import MatexError, did_you_mean
from matexapps.experiment.cli.app import SETTINGS
from matexapps.launch.signals import exit_on_signal, signals_handled_by

DOMAINS = {
    "higgs": "matexapps.apps.higgs.commands",
    "molecules": "matexapps.apps.molecules.commands",
}
"""Modules whose ``app`` has the verbs of a domain, by the domain's name."""


class Commands(TyperGroup):
    """All commands; those of a domain are imported when they are asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names, domains first."""
        return [*DOMAINS, *super().list_commands(ctx)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command by its name; a name that there is not is answered with a near one."""
        if cmd_name in DOMAINS:
            domain = typer.main.get_command(import_module(DOMAINS[cmd_name]).app)
            domain.name = cmd_name
            return domain
        command = super().get_command(ctx, cmd_name)
        if command is None:
            names = self.list_commands(ctx)
            ctx.fail(f"there is no command {cmd_name!r}{did_you_mean(cmd_name, names)}")
        return command


app = typer.Typer(
    cls=Commands,
    help="Distributed deep learning for domain scientists, from Jupyter notebooks, on MPI.",
    epilog="For example:  matexapps higgs train -n 2 --out model",
    **SETTINGS,
)
app.command(epilog="For example:  matexapps check -n 4")(check)
app.command(epilog="For example:  matexapps run notebooks/00_start_here.ipynb -n 3 -p epochs 5")(
    run
)
app.command(
    "exec",
    epilog="For example:  matexapps exec train.py -n 4 --lr 0.1",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)(execute)
app.command(
    epilog="For example:  matexapps restart mpiexec -n 4 python train.py",
    context_settings={"allow_interspersed_args": False},
)(restart)
app.command(epilog="For example:  matexapps data runs.csv --label label -n 4")(data)
app.command(epilog="For example:  matexapps convert runs.csv runs.h5 --dtype float32")(convert)
app.add_typer(datasets, name="datasets", epilog="For example:  matexapps datasets list")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; an error of matexapps ends it with one line and status 1.

    A signal ends it, and all ranks, with status 128 + its number.
    """
    words = sys.argv[1:] if arguments is None else arguments
    try:
        with signals_handled_by(exit_on_signal):
            app(join_parameters(words) if words[:1] == ["run"] else words, prog_name="matexapps")
    except MatexError as error:
        if os.environ.get("MATEXAPPS_DEBUG"):
            raise
        first, *more = str(error).split("\n")
        console(stderr=True).print(first, style="red", markup=False)
        for line in more:
            print(line, file=sys.stderr)
        raise SystemExit(1) from None
