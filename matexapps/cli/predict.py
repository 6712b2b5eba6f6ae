"""``matexapps predict``."""

from __future__ import annotations

from typing import Annotated

import typer

from matexapps.cli.options import Ranks, on_ranks


def predict(
    model: Annotated[str, typer.Argument(help="Folder that train molecules --out has written.")],
    library: Annotated[
        str,
        typer.Argument(
            help="SMILES file (.smi: SMILES, then a name; a first line that begins with smiles is "
            "a header), CSV or TSV with a header, SDF or Parquet file; .gz where it is text."
        ),
    ],
    n: Ranks = 2,
    out: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Table to write; LIBRARY_predicted.csv if not given."),
    ] = None,
    smiles_columns: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="The column of SMILES, or as many as the model has learned from, in that order.",
        ),
    ] = None,
) -> None:
    """Predict each molecule of a library, in its order; rows that are none are marked.

    The table has for each row its name, the standard form that is predicted, of each
    target value, deviation and 90 % interval (of classes probability and set),
    the nearest training molecule and how similar it is, and where there is no
    prediction the reason.
    """
    columns = None if smiles_columns is None else smiles_columns.split(",")
    given = {"model": model, "library": library, "out": out, "smiles_columns": columns}
    on_ranks("matexapps.apps.molecules.prediction", given, n)
