"""``matexapps train molecules``."""

from __future__ import annotations

from typing import Annotated

import typer

from matexapps.cli.molecule_options import BatchSize, Cache, Epochs, Members
from matexapps.cli.options import AsJson, Checkpoints, Ranks, Recovery, on_ranks


def train_molecules(
    data: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="CSV, TSV, SDF (.gz too), Parquet, or a name of the catalog; melting and "
            "boiling points and logP of organic molecules without.",
        ),
    ] = None,
    smiles_columns: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="The column of SMILES, or several that belong together, as solute,solvent; "
            "splits go by the first. The one called smiles without.",
        ),
    ] = None,
    target_columns: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="Columns to learn, commas between; all columns of numbers without. Blank, NA "
            "and NaN are missing. A unit stands behind the name, as in 'logS (log mol/L)', and "
            "may be left out here.",
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="NO,YES",
            help="The two texts that targets hold; targets that are all 0 or 1 need none.",
        ),
    ] = None,
    n: Ranks = 2,
    molecules: Annotated[
        int | None, typer.Option(min=1, help="Use so many rows, drawn by the seed; all without.")
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="scaffold (without), cluster, random, time, or column."),
    ] = None,
    split_column: Annotated[
        str | None, typer.Option(help="The column of times, or of train, validation and test.")
    ] = None,
    validation: Annotated[
        float | None, typer.Option(help="Share of the molecules; 0.1 if not given.")
    ] = None,
    test: Annotated[
        float | None, typer.Option(help="Share of the molecules; 0.1 if not given.")
    ] = None,
    network: Annotated[
        str | None, typer.Option(help="combined (without), graph, fingerprint, smiles, or image.")
    ] = None,
    pretrained: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="Begin with this model; see `matexapps pretrain`."),
    ] = None,
    members: Members = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    learning_curve: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="K",
            help="Learn from a half, a quarter, ... of the training molecules, too: K times.",
        ),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="How many trainings; 1 if not given.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of the split and of the first training.")
    ] = None,
    compare_random: Annotated[
        bool, typer.Option(help="Judge on a random split as well, to see how much it flatters.")
    ] = True,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="Keep the model there, for predict, with report.json, report.png, rejected.csv "
            "and conflicts.csv.",
        ),
    ] = None,
    cache: Cache = None,
    recovery: Recovery = None,
    checkpoints: Checkpoints = None,
    as_json: AsJson = False,
) -> None:
    """Learn properties of molecules, and compare with simpler methods on the same molecules.

    Structures are standardized: the largest organic fragment, uncharged where
    protons can do it, the tautomer as drawn. Rows of one InChIKey are merged
    to their median; rows that disagree, or give no molecule, are listed.
    """
    given = {
        "data": data,
        "smiles_columns": None if smiles_columns is None else smiles_columns.split(","),
        "target_columns": None if target_columns is None else target_columns.split(","),
        "classes": None if classes is None else classes.split(","),
        "molecules": molecules,
        "split": split,
        "split_column": split_column,
        "validation": validation,
        "test": test,
        "network": network,
        "pretrained": pretrained,
        "members": members,
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_curve": learning_curve,
        "seeds": seeds,
        "seed": seed,
        "compare_random": compare_random,
        "out": out,
        "cache": cache,
        "recovery": recovery,
        "checkpoints": checkpoints,
        "json": as_json,
    }
    on_ranks("matexapps.apps.molecules", given, n)
