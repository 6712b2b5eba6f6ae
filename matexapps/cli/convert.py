"""``matexapps convert``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.filesize import decimal

from matexapps.cli.options import console
from matexapps.cli.progress_bar import progress_bar


def convert(
    source: Annotated[
        str,
        typer.Argument(metavar="A", help="File, folder, pattern such as 'runs/*.csv', or name."),
    ],
    target: Annotated[
        Path,
        typer.Argument(metavar="B", help="Ends in .h5, .hdf5, .nc, .csv, .tsv, .csv.gz, .tsv.gz."),
    ],
    dtype: Annotated[
        str | None, typer.Option(help="One type for all numbers, such as float32.")
    ] = None,
    compress: Annotated[bool, typer.Option("--compress", help="Compress HDF5 or NetCDF.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace B if it exists.")] = False,
    dimension: Annotated[
        str | None, typer.Option(help="The dimension of a NetCDF file that the rows run along.")
    ] = None,
) -> None:
    """Write a file in another format: CSV, HDF5 and NetCDF, with all columns and their types.

    Training reads HDF5 fastest. B appears only once it is whole.
    """
    from matexapps.data.convert import convert as convert_files
    from matexapps.data.schema.schema import Schema

    with progress_bar():
        done = convert_files(
            source,
            target,
            dtype=dtype,
            compress=compress,
            overwrite=overwrite,
            schema=Schema(dimension=dimension),
        )
    screen = console()
    screen.print(
        f"{done.path}: {done.rows:,} rows of {done.columns:,} columns, {decimal(done.bytes)}",
        markup=False,
    )
    if done.note:
        screen.print(f"Mind: {done.note}.", markup=False)
