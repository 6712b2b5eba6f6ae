"""The catalog: data sets by name, and where their files are.

A name is looked for in three places, in this order:

1. the folder that the environment variable MATEXAPPS_DATA names, directly or in a folder of it
   called like the data set; what is found there is the user's own and taken as it is;
2. the project's ``datasets/`` folder, where the package runs from a checkout or an editable
   install: the folder beside the package that has a ``pyproject.toml`` beside it too. Every
   folder in it that holds a ``card.md`` is a data set;
3. the user's cache folder, where :func:`get` puts downloads.

An installed wheel has no ``datasets/``: it knows the public data sets, and says of other names
that more come with the repository.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from rich import filesize

import matexapps
from matexapps.data.catalog.cards import read_card
from matexapps.data.catalog.download import download
from matexapps.data.catalog.entry import Entry
from matexapps.data.catalog.public_data import PUBLIC
from matexapps.errors import DataError, did_you_mean

VARIABLE = "MATEXAPPS_DATA"


def entries() -> list[Entry]:
    """Return all data sets of the catalog, by name.

    Raises
    ------
    DataError
        If a card cannot be read, or two data sets have the same name.
    """
    folder = datasets_folder()
    cards = [] if folder is None else sorted(folder.glob("*/card.md"))
    found: dict[str, Entry] = {}
    for one in (*PUBLIC, *(Entry.from_card(read_card(card)) for card in cards)):
        if one.name in found:
            raise DataError(
                f"two data sets are called {one.name!r}: rename the one in {one.folder}"
            )
        found[one.name] = one
    return [found[name] for name in sorted(found)]


def entry(name: str) -> Entry:
    """Return the data set called ``name``.

    Raises
    ------
    DataError
        If the catalog has no such name.
    """
    known = {one.name: one for one in entries()}
    if name in known:
        return known[name]
    more = "" if datasets_folder() else "; more come with the project's repository"
    raise DataError(
        f"no data set is called {name!r}; the catalog has {', '.join(known)}{more}"
        f"{did_you_mean(name, known)}"
    )


def find(name: str) -> Path | None:
    """Return the file of a data set that is on this machine, or None."""
    one = entry(name)
    return next((path for path in _places(one) if path.is_file()), None)


def get(name: str) -> Path:
    """Return the file of a data set, downloading it first where it is not on this machine.

    Raises
    ------
    DataError
        If it cannot be had; the message says how to fetch it by hand.
    """
    one = entry(name)
    path = find(name)
    if path is not None:
        return path
    if one.url is None or one.checksum is None:
        raise not_here(one)
    target = cache_folder() / one.name / one.files[0]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        return download(one.url, target, one.checksum)
    except (DataError, OSError) as error:
        raise DataError(f"{one.name}: {error}; or {_by_hand(one)}") from None


def not_here(one: Entry) -> DataError:
    """Return an error that says how to get a data set that is not on this machine."""
    if one.url is not None:
        size = "" if one.size is None else f" ({filesize.decimal(one.size)})"
        return DataError(
            f"{one.name} is not on this machine: run `matexapps datasets get {one.name}`{size} "
            f"once, or {_by_hand(one)}"
        )
    made = "" if one.made_by is None else f"make it with `{one.made_by}`, or "
    return DataError(f"{one.name} is not on this machine: {made}{_by_hand(one)}")


def datasets_folder() -> Path | None:
    """Return the project's ``datasets/``, or None where the package is not in a checkout."""
    root = Path(matexapps.__file__).resolve().parents[1]
    folder = root / "datasets"
    return folder if folder.is_dir() and (root / "pyproject.toml").is_file() else None


def cache_folder() -> Path:
    """Return the folder of this user where downloads are kept."""
    import pooch

    return Path(pooch.os_cache("matexapps"))


def _places(one: Entry) -> Iterator[Path]:
    given = os.environ.get(VARIABLE)
    if given:
        folder = Path(given)
        if not folder.is_dir():
            raise DataError(f"{VARIABLE}={given} is not a folder: set it to one, or unset it")
        for name in one.files:
            yield from (folder / name, folder / one.name / name)
    if one.folder is not None:
        yield from (one.folder / name for name in one.files)
    yield from (cache_folder() / one.name / name for name in one.files)


def _by_hand(one: Entry) -> str:
    file = one.files[0]
    if one.url is None:
        where = "" if one.made_by else f"get {file} from {one.source} and "
        return f"{where}set {VARIABLE} to a folder that holds {file}"
    return f"fetch {file} by hand from {one.url} and set {VARIABLE} to the folder you put it in"
