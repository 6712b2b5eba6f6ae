"""``matexapps train``."""

from __future__ import annotations

from typing import Annotated

import typer

from matexapps.cli.options import AsJson, Checkpoints, Ranks, Recovery, group, on_ranks
from matexapps.cli.train_molecules import train_molecules

train = group("Train one of the applications.")
train.command(
    "molecules",
    epilog="For example:  matexapps train molecules --data solubility.csv -n 2 --out model",
)(train_molecules)


@train.callback()
def train_an_application() -> None:
    """Train one of the applications."""


@train.command(
    "higgs",
    epilog="For example:  matexapps train higgs --data HIGGS.csv.gz -n 4 --epochs 20 --json",
)
def train_higgs(
    data: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="CSV, CSV.gz, HDF5, or a name of the catalog; the simulated sample without.",
        ),
    ] = None,
    test: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="A test file of its own; a fifth of the rows without."),
    ] = None,
    n: Ranks = 2,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the rows.")] = None,
    network: Annotated[str | None, typer.Option(help="dnn2014 or present.")] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Rows a step, of all ranks together.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="How many trainings; 3 if not given.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="The first training's seed.")] = None,
    recovery: Recovery = None,
    checkpoints: Checkpoints = None,
    as_json: AsJson = False,
) -> None:
    """Train the Higgs classifier, and compare it with simpler methods on the same rows."""
    given = {
        "data": data,
        "test": test,
        "epochs": epochs,
        "network": network,
        "batch_size": batch_size,
        "seeds": seeds,
        "seed": seed,
        "recovery": recovery,
        "checkpoints": checkpoints,
        "json": as_json,
    }
    on_ranks("matexapps.apps.higgs", given, n)
