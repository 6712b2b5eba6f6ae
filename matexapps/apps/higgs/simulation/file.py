"""A simulated sample as an HDF5 file that says what it is and how it was made."""

from __future__ import annotations

import json
import os
from importlib.metadata import version
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from matexapps.apps.higgs.schema import COLUMNS, LABEL, unit
from matexapps.apps.higgs.simulation.campaign import Sample
from matexapps.apps.higgs.simulation.events import BEAM_ENERGY_GEV
from matexapps.apps.higgs.simulation.settings import SimulationSettings
from matexapps.errors import DataError
from matexapps.files import atomic_file

MANTISSA_BITS = 10
"""Bits kept after the point of a float32: a relative error of at most 5e-4."""

_CHUNK_ROWS = 4096


def round_mantissa(values: NDArray[np.float32], bits: int = MANTISSA_BITS) -> NDArray[np.float32]:
    """Round to ``bits`` binary places of the mantissa, so that compression finds equal bytes."""
    dropped = 23 - bits
    pattern = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    half = np.uint32(1 << (dropped - 1))
    mask = np.uint32(0xFFFFFFFF << dropped & 0xFFFFFFFF)
    return ((pattern + half) & mask).view(np.float32)


def provenance(settings: SimulationSettings, sample: Sample) -> dict[str, str | int | float | bool]:
    """Return the attributes of a file: what it holds, what made it, and the terms of use."""
    return {
        "simulated": True,
        "title": "Simulated H0 -> W W h0 events and top-quark pairs",
        "generator": f"PYTHIA {version('pythia8mc')}",
        "jet_finder": f"FastJet {version('fastjet')}",
        "matexapps": version("matexapps"),
        "command": f"matexapps higgs simulate --events {settings.events} --seed {settings.seed}",
        "seed": settings.seed,
        "events": settings.events,
        "signal_fraction": settings.signal_fraction,
        "collisions_generated": json.dumps(sample.generated),
        "beam_energy_gev": BEAM_ENERGY_GEV,
        "mantissa_bits": MANTISSA_BITS,
        "license": "CC0-1.0",
        "reference": "P. Baldi, P. Sadowski, D. Whiteson, Nature Communications 5 (2014) 4308",
    }


def write_sample(path: Path, settings: SimulationSettings, sample: Sample) -> None:
    """Write a sample; a file that was there before is replaced only by a whole one.

    The data set ``data``, float32, has the columns named in its attribute ``columns``.

    Raises
    ------
    DataError
        If the file cannot be written.
    """
    table = np.column_stack([sample.label.astype(np.float32), round_mantissa(sample.features)])
    with atomic_file(path) as partial, h5py.File(partial, "w", track_order=True) as file:
        data = file.create_dataset(
            "data",
            data=table,
            chunks=(min(_CHUNK_ROWS, len(table)), 1),
            compression="gzip",
            compression_opts=9,
            shuffle=True,
            track_times=False,
        )
        data.attrs["columns"] = list(COLUMNS)
        data.attrs["units"] = [unit(column) for column in COLUMNS]
        data.attrs["label"] = LABEL
        file.attrs.update(provenance(settings, sample))


def check_writable(path: Path) -> None:
    """Find out before hours of simulation whether the sample can be written.

    Raises
    ------
    DataError
        If the path does not end in .h5 or .hdf5, or its folder cannot be written to.
    """
    if path.suffix not in (".h5", ".hdf5"):
        raise DataError(f"{path}: a simulated sample is an HDF5 file; name it with .h5 at its end")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{path}: its folder cannot be made ({error})") from error
    if not os.access(path.parent, os.W_OK):
        raise DataError(f"{path}: its folder cannot be written to; choose another --out")
