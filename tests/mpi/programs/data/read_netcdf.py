"""Reads classic NetCDF files on all ranks, and writes the rows that each rank got."""

import json
import sys
from pathlib import Path

import numpy as np

import matexapps.data.netcdf.reader
from matexapps.comm.world import open_world
from matexapps.data.netcdf.pnetcdf import pnetcdf_library
from matexapps.data.schema.schema import Schema
from matexapps.data.sources.formats import open_reader
from matexapps.errors import DataError

matexapps.data.netcdf.reader._ROUND_BYTES = 200  # several rounds, even of these few rows


def schema_of(path):
    if "image" in path:
        return Schema(features="image", missing=float("nan"))
    features = ["x", "site", "packed", "turned"]
    return Schema(
        features=features,
        weight="weight",
        key="site",
        missing=float("nan"),
        categories={"site": ["Bern", "Oslo", "Rome"]},
    )


with open_world(timeout_s=60) as comm:
    together = pnetcdf_library(comm) is not None
    errors = {}
    for path in sys.argv[1:]:
        try:
            reader = open_reader(Path(path), schema_of(path))
            if together:
                reader.close()  # only PnetCDF can read now
            rows = reader.read_all(comm)
        except DataError as error:
            errors[path] = str(error)
            continue
        np.savez(
            f"{path}.{comm.rank}.npz",
            x=rows.features,
            label=rows.label,
            ids=rows.ids,
            **({} if rows.key is None else {"site": rows.key.astype(str), "weight": rows.weight}),
        )
    gathered = comm.all_gather_object((together, errors))
    if comm.rank == 0:
        print(json.dumps(gathered))
