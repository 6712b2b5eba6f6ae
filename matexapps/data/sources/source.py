"""Where rows come from: a path or a name of the catalog, or arrays."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TypeVar

from matexapps.data.catalog import catalog
from matexapps.data.rows import Rows
from matexapps.data.schema.checks import describe_type
from matexapps.data.schema.schema import Schema
from matexapps.data.sources.formats import check_source
from matexapps.data.sources.several_files import is_pattern
from matexapps.errors import DataError

T = TypeVar("T")

_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}


@dataclass(frozen=True)
class FileSource:
    """Rows that are read from disk when they are needed.

    Attributes
    ----------
    path : str or Path
        A file, a folder, a pattern, or a name of the catalog.
    memory : int
        Bytes that a rank may hold of the rows.

    Raises
    ------
    DataError
        If the path is neither a path nor a text.
    """

    path: str | Path
    memory: int = 2 * 10**9

    def __post_init__(self) -> None:
        if not isinstance(self.path, str | Path):
            raise DataError(
                "a DataSet reads a file, a folder, a pattern or a name, not "
                f"{describe_type(self.path)}: give arrays to DataSet.from_arrays, and several "
                "files as a pattern such as 'runs/*.csv'"
            )

    @property
    def name(self) -> str:
        """What messages call the source."""
        return str(self.path)

    def from_anywhere(self) -> FileSource:
        """Return this source with an absolute path."""
        return replace(self, path=absolute(self.path))


@dataclass(frozen=True, eq=False)
class ArraySource:
    """Rows that are in memory, not yet split.

    Attributes
    ----------
    rows : Rows
    """

    rows: Rows
    name = "the arrays"


def resolve(
    source: str | Path, schema: Schema, *, may_download: bool = True
) -> tuple[Path, Schema]:
    """Return the path behind ``source``, and ``schema`` completed by the catalog.

    A text with a folder, an ending or ``*`` in it, and anything that exists on disk, is a path,
    where ``~`` is the home folder; other texts are names of the catalog. ``schema`` takes
    precedence over the catalog.

    Parameters
    ----------
    source : str or Path
    schema : Schema
    may_download : bool
        False among several ranks: while one downloads, the others would reach their deadline.

    Raises
    ------
    DataError
        If there is no such file or name, or the data set is not available.
    """
    if "://" in str(source):
        raise DataError(f"{source} is an address, and data are read from files: download it first")
    path = Path(os.path.expanduser(source))
    is_folder = str(source).endswith(os.sep)
    is_path = path.suffix or len(path.parts) > 1 or is_pattern(path) or is_folder
    if isinstance(source, Path) or is_path or path.exists():
        check_source(path)
        return path, schema
    try:
        entry = catalog.entry(source)
    except DataError as error:
        raise DataError(f"{source} is neither a file nor a folder here, and {error}") from None
    file = catalog.get(entry.name) if may_download else catalog.find(entry.name)
    if file is None:
        raise catalog.not_here(entry)
    known = {
        field.name: getattr(entry.schema, field.name)
        for field in fields(Schema)
        if getattr(schema, field.name) is None
    }
    return file, replace(schema, **known)


def absolute(source: T) -> T:
    """Return a path made absolute; anything else unchanged."""
    if isinstance(source, str | Path) and (Path(source).exists() or is_pattern(Path(source))):
        return type(source)(Path(source).absolute())
    return source


def parse_size(size: str | float) -> int:
    """Return the bytes of a size such as ``"2GB"``, ``"512 MiB"`` or a number of bytes.

    Raises
    ------
    DataError
        If it is not a size above zero.
    """
    match = re.fullmatch(r"\s*([0-9.]+(?:e[0-9]+)?)\s*([a-zA-Z]*)\s*", str(size))
    unit = _UNITS.get((match.group(2) or "B").upper()) if match else None
    try:
        value = 0 if match is None or unit is None else int(float(match.group(1)) * unit)
    except ValueError:
        value = 0
    if value <= 0:
        raise DataError(f'memory={size!r} is not a size: write for example "2GB" or "512 MiB"')
    return value


def fits(rows: int, row_bytes: int, memory: int) -> bool:
    """Whether rows fit into ``memory`` bytes: twice, because splitting copies them."""
    return 2 * rows * row_bytes <= memory
