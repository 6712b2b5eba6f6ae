"""``matexapps pretrain``."""

from __future__ import annotations

from typing import Annotated

import typer

from matexapps.cli.molecule_options import BatchSize, Cache, Epochs, Members
from matexapps.cli.options import Checkpoints, Ranks, Recovery, group, on_ranks

pretrain = group("Train a network on what can be computed, before it learns what was measured.")


@pretrain.callback()
def pretrain_an_application() -> None:
    """Train a network on what can be computed, before it learns what was measured."""


@pretrain.command(
    "molecules",
    epilog="For example:  matexapps pretrain molecules library.smi --task solubility.csv -n 4 "
    "--out pretrained;  then  matexapps train molecules --data solubility.csv "
    "--pretrained pretrained",
)
def pretrain_molecules(
    out: Annotated[
        str,
        typer.Option(metavar="FOLDER", help="Keep the model there, for train --pretrained."),
    ],
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE",
            help="Molecules: SMILES, CSV, TSV, SDF, Parquet, or a name of the catalog; those "
            "that come with the project without.",
        ),
    ] = None,
    n: Ranks = 2,
    smiles_columns: Annotated[
        str | None, typer.Option(help="The column of SMILES; the one called smiles without.")
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="Columns of FILE to learn besides RDKit's descriptors, such as those of "
            "`matexapps quantum`.",
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="What will be learned afterwards: its validation and test molecules are left "
            "out. FILE itself without; none leaves out nothing.",
        ),
    ] = None,
    target_columns: Annotated[
        str | None, typer.Option(metavar="A,B", help="The task's, as for train molecules.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="The task's, as for train molecules; scaffold without.")
    ] = None,
    split_column: Annotated[
        str | None, typer.Option(help="The task's, as for train molecules.")
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(help="graph (without; serves the combined network too), smiles, or image."),
    ] = None,
    members: Members = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of the task's split and of the training.")
    ] = None,
    cache: Cache = None,
    recovery: Recovery = None,
    checkpoints: Checkpoints = None,
) -> None:
    """Teach a network RDKit's descriptors, which any molecule has, and keep it to begin with."""
    given = {
        "out": out,
        "data": data,
        "smiles_columns": smiles_columns,
        "labels": None if labels is None else labels.split(","),
        "task": task,
        "target_columns": None if target_columns is None else target_columns.split(","),
        "split": split,
        "split_column": split_column,
        "network": network,
        "members": members,
        "epochs": epochs,
        "batch_size": batch_size,
        "seed": seed,
        "cache": cache,
        "recovery": recovery,
        "checkpoints": checkpoints,
    }
    on_ranks("matexapps.apps.molecules.pretraining", given, n)
