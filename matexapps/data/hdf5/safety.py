"""Checks what a damaged HDF5 file may claim, and words the complaints of its library."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from matexapps.errors import DataError

MOST_AT_ONCE = 2**30
"""Bytes that one row, or one chunk, may take."""

MOST_EXPANSION = 2000
"""How many times the size of its file a dataset may be; gzip reaches 1030."""

_MOST_ATTRIBUTE = 2**24
_OTHER_FORMATS = {
    b"MATLAB 5.0": "of MATLAB before version 7.3: save it again with the option '-v7.3'",
    b"CDF": "NetCDF: let its name end in .nc",
    b"\x1f\x8b": "compressed with gzip: unpack it first",
    b"PK\x03\x04": "a zip archive: unpack it first",
}


def check_is_hdf5(path: Path) -> None:
    """Raise a DataError if a file is empty or obviously in another format."""
    if h5py.is_hdf5(path):
        return
    with path.open("rb") as file:
        start = file.read(64)
    if not start:
        raise DataError(f"{path} is not a complete HDF5 file (it is empty); write or copy it again")
    for magic, what in _OTHER_FORMATS.items():
        if start.startswith(magic):
            raise DataError(f"{path} is not an HDF5 file but {what}")
    if all(32 <= byte < 127 or byte in b"\t\r\n" for byte in start):
        raise DataError(
            f"{path} is not a complete HDF5 file (it holds text); let its name end in .csv if "
            "it is a table"
        )


def check_plausible(dataset: Any, file_bytes: int, *, reversed_axes: bool = False) -> None:
    """Raise a DataError if a dataset claims to be larger than the file can hold.

    For datasets that are spread over other files, only the sizes of a row and a chunk are checked.
    """
    shape, item = dataset.shape, max(1, dataset.dtype.itemsize)
    name = dataset.name.strip("/")
    row = math.prod(shape[:-1] if reversed_axes else shape[1:]) * item
    chunk = math.prod(dataset.chunks) * item if dataset.chunks else 0
    for what, size in (("row", row), ("chunk", chunk)):
        if size > MOST_AT_ONCE:
            raise DataError(
                f"the dataset {name!r} says that one {what} takes {size} bytes, more than "
                f"{MOST_AT_ONCE}: the file is damaged, or must be written with smaller {what}s"
            )
    size = math.prod(shape) * item
    apart = dataset.is_virtual or dataset.external
    if size > MOST_EXPANSION * file_bytes and not apart:
        raise DataError(
            f"the dataset {name!r} says that it holds {size} bytes, more than {MOST_EXPANSION} "
            f"times the {file_bytes} bytes of the file: the file is damaged, or the dataset was "
            "never filled; write it again"
        )


def attribute(item: Any, name: str) -> Any:
    """Return an attribute, or None if it does not exist or is implausibly large."""
    if name not in item.attrs:
        return None
    if item.attrs.get_id(name).get_storage_size() > _MOST_ATTRIBUTE:
        return None
    return item.attrs[name]


def check_storage(dataset: Any, file_bytes: int) -> None:
    """Check where the file keeps a dataset's values, without reading them.

    Raises
    ------
    DataError
        If a chunk, or the dataset as a whole, reaches beyond the file.
    """
    if dataset.is_virtual or dataset.external:
        return
    pieces: list[tuple[int, int]] = []
    if dataset.chunks:
        dataset.id.chunk_iter(lambda chunk: pieces.append((chunk.byte_offset, chunk.size)))
    elif (offset := dataset.id.get_offset()) is not None:
        pieces.append((offset, dataset.id.get_storage_size()))
    for offset, size in pieces:
        if offset + size > file_bytes:
            raise DataError(
                f"the dataset {dataset.name.strip('/')!r} reaches beyond the file's end at "
                f"{file_bytes} bytes: the file is truncated; copy it again"
            )


@contextmanager
def damage_named(what: str) -> Iterator[None]:
    """Turn any exception of HDF5 on a damaged file into one sentence."""
    try:
        yield
    except (
        OSError,
        RuntimeError,
        LookupError,
        ValueError,
        TypeError,
        MemoryError,
        ArithmeticError,
        SystemError,
    ) as error:
        lines = str(error).splitlines() or [type(error).__name__]
        # HDF5 gives its reason in brackets after the name of the call that failed.
        reason = lines[0].partition("(")[2].rstrip(")") or lines[0]
        raise DataError(f"{what} ({reason}); write or copy it again") from None
