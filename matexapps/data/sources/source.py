"""From what a user names, a path or a data set of the catalog, to a file and its schema."""

from __future__ import annotations

import os
from dataclasses import fields, replace
from pathlib import Path

from matexapps.data.catalog import catalog
from matexapps.data.schema.schema import Schema
from matexapps.data.sources.formats import check_source
from matexapps.data.sources.several_files import is_pattern
from matexapps.errors import DataError


def resolve(
    source: str | Path, schema: Schema, *, may_download: bool = True
) -> tuple[Path, Schema]:
    """Return the path behind ``source``, and ``schema`` with what the catalog knows of it.

    A text with a folder, an ending or ``*`` in it, and whatever exists on disk, is a path, where
    ``~`` is the home folder; other texts are names of the catalog. What ``schema`` says goes
    before the catalog.

    Parameters
    ----------
    source : str or Path
    schema : Schema
    may_download : bool
        False among several ranks: while one fetches, the others would outwait their deadline.

    Raises
    ------
    DataError
        If there is no such file or name, or the data set cannot be had.
    """
    if "://" in str(source):
        raise DataError(f"{source} is an address, and data are read from files: download it first")
    path = Path(os.path.expanduser(source))
    a_folder = str(source).endswith(os.sep)
    named = path.suffix or len(path.parts) > 1 or is_pattern(path) or a_folder
    if isinstance(source, Path) or named or path.exists():
        check_source(path)
        return path, schema
    try:
        one = catalog.entry(source)
    except DataError as error:
        raise DataError(f"{source} is no file or folder here, and {error}") from None
    found = catalog.get(one.name) if may_download else catalog.find(one.name)
    if found is None:
        raise catalog.not_here(one)
    known = {
        item.name: getattr(one.schema, item.name)
        for item in fields(Schema)
        if getattr(schema, item.name) is None
    }
    return found, replace(schema, **known)


def absolute(source: object) -> object:
    """Return a path such that it holds in any working folder; anything else as it is."""
    if isinstance(source, str | Path) and (Path(source).exists() or is_pattern(Path(source))):
        return type(source)(Path(source).absolute())
    return source
