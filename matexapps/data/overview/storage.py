"""How files are stored, which decides how fast they can be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import netCDF4
import pyarrow.parquet as pq

from matexapps.data.csv.dialect import detect
from matexapps.data.hdf5.safety import damage_named
from matexapps.data.schema.schema import Schema
from matexapps.data.sources.raw_files import RawFiles

_DELIMITERS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar", " ": "space"}
_CLASSIC = {
    "NETCDF3_CLASSIC": "NetCDF, CDF-1",
    "NETCDF3_64BIT_OFFSET": "NetCDF, CDF-2",
    "NETCDF3_64BIT_DATA": "NetCDF, CDF-5",
}


def storage(files: RawFiles) -> tuple[str, list[str]]:
    """Return the format of the first file, and lines that describe how it is stored."""
    path = files.paths[0]
    if files.format == "CSV":
        return _csv(path, files.schema)
    detailed = {"HDF5": _hdf5, "NetCDF": _netcdf, "Parquet": _parquet}.get(files.format)
    return (files.format, []) if detailed is None else detailed(path)


def _csv(path: Path, schema: Schema) -> tuple[str, list[str]]:
    dialect = detect(path, schema)
    delimiter = _DELIMITERS.get(dialect.delimiter, repr(dialect.delimiter))
    header = "with a header" if dialect.header_lines else "without a header"
    return f"CSV{', gzip' if dialect.gzip else ''}", [f"{delimiter} between cells, {header}"]


def _hdf5(path: Path) -> tuple[str, list[str]]:
    lines: list[str] = []

    def visit(name: str, item: Any) -> None:
        # PyTables keeps its indexes, and MATLAB the contents of cells, in groups with such names.
        inside = any(part.startswith(("_i_", "#")) for part in name.split("/"))
        if isinstance(item, h5py.Dataset) and item.shape and not inside:
            lines.append(_line(name, item.shape, item.chunks, item.compression))

    with (
        damage_named(f"{path} is not a complete HDF5 file"),
        h5py.File(path, "r", locking="best-effort") as file,
    ):
        file.visititems(visit)
    return "HDF5", lines


def _netcdf(path: Path) -> tuple[str, list[str]]:
    lines: list[str] = []
    with netCDF4.Dataset(path) as file:
        kind = _CLASSIC.get(file.data_model, "NetCDF-4")
        for name, variable in file.variables.items():
            if variable.ndim:
                chunks = variable.chunking()
                filters = variable.filters() or {}
                used = [name for name in ("zlib", "zstd", "szip", "bzip2") if filters.get(name)]
                lines.append(
                    _line(
                        name,
                        variable.shape,
                        tuple(chunks) if isinstance(chunks, list) else None,
                        used[0] if used else None,
                    )
                )
    return kind, lines


def _parquet(path: Path) -> tuple[str, list[str]]:
    metadata = pq.read_metadata(path)
    groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    return "Parquet", [f"in row groups of at most {max(groups, default=0):,} rows"]


def _line(
    name: str, shape: tuple[int, ...], chunks: tuple[int, ...] | None, compression: str | None
) -> str:
    stored = "in one piece" if chunks is None else f"in chunks of {_times(chunks)}"
    return f"{name}: {_times(shape)}, {stored}{f', {compression}' if compression else ''}"


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(f"{length:,}" for length in shape)
