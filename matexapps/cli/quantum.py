"""``matexapps quantum``."""

from __future__ import annotations

from typing import Annotated

import typer

from matexapps.cli.options import Ranks, on_ranks


def quantum(
    data: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="SMILES, CSV, TSV, SDF or Parquet file, or a catalog's name."
        ),
    ],
    out: Annotated[
        str,
        typer.Option(
            metavar="FILE", help="Table to write, .csv or .parquet; run again, it goes on."
        ),
    ],
    n: Ranks = 2,
    smiles_columns: Annotated[
        str | None, typer.Option(help="The column of SMILES; the one called smiles without.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of the conformers; 0 if not given.")
    ] = None,
    tries: Annotated[
        int | None, typer.Option(min=1, help="Conformers before giving up; 3 if not given.")
    ] = None,
    time_limit: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="For each molecule; 120 if not given."),
    ] = None,
) -> None:
    """Compute GFN2-xTB energies, orbitals, dipoles and solvation of molecules, to learn from."""
    given = {
        "data": data,
        "out": out,
        "smiles_columns": smiles_columns,
        "seed": seed,
        "tries": tries,
        "time_limit_s": time_limit,
    }
    on_ranks("matexapps.apps.molecules.quantum", given, n)
