"""The catalog: data sets by name, and where their files are.

A name is looked for in three places, in this order:

1. the folder that the environment variable MATEXAPPS_DATA names, directly or in a subfolder with
   the name of the data set; files there are the user's own and used as they are;
2. the project's ``datasets/`` folder, if the package runs from a checkout or an editable install,
   recognized by the ``pyproject.toml`` beside it;
3. the user's cache folder, where :func:`get` puts downloads.

The facts about a data set are on its card: ``datasets/NAME/card.md`` for those that come
with the project, and ``apps/DOMAIN/datasets/NAME.md`` for the public ones of a domain, which are
downloaded. An installed wheel has no ``datasets/``; it says that more come with the repository.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import matexapps
from matexapps.data.catalog.cards import read_card
from matexapps.data.catalog.download import download
from matexapps.data.catalog.entry import Entry
from matexapps.errors import DataError, did_you_mean

VARIABLE = "MATEXAPPS_DATA"
_PACKAGE = Path(__file__).parents[2]


def entries() -> list[Entry]:
    """Return all data sets of the catalog, by name.

    Raises
    ------
    DataError
        If a card cannot be read, or two data sets have the same name.
    """
    project = datasets_folder()
    cards = list(_PACKAGE.glob("apps/*/datasets/*.md"))
    if project is not None:
        cards += project.glob("*/card.md")
    named: dict[str, Entry] = {}
    for card in cards:
        entry = Entry.from_card(read_card(card))
        if entry.name in named:
            raise DataError(f"two data sets are called {entry.name!r}: rename that of {card}")
        named[entry.name] = entry
    return [named[name] for name in sorted(named)]


def entry(name: str) -> Entry:
    """Return the data set called ``name``.

    Raises
    ------
    DataError
        If the catalog has no such name.
    """
    known = {entry.name: entry for entry in entries()}
    if name in known:
        return known[name]
    more = "" if datasets_folder() else "; more come with the project's repository"
    raise DataError(
        f"no data set is called {name!r}; the catalog has {', '.join(known)}{more}"
        f"{did_you_mean(name, known)}"
    )


def units(name: str) -> dict[str, str]:
    """Return the units that the catalog gives for columns; none if it has no such name."""
    return next((entry.units for entry in entries() if entry.name == name), {})


def find(name: str) -> Path | None:
    """Return the file of a data set that is on this machine, or None."""
    return next((path for path in _candidates(entry(name)) if path.is_file()), None)


def get(name: str) -> Path:
    """Return the file of a data set, downloading it first if it is not on this machine.

    Raises
    ------
    DataError
        If it is not available; the message says how to fetch it by hand.
    """
    known = entry(name)
    path = find(name)
    if path is not None:
        return path
    if known.url is None or known.checksum is None:
        raise not_here(known)
    target = cache_folder() / name / known.files[0]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        return download(known.url, target, known.checksum)
    except (DataError, OSError) as error:
        raise DataError(f"{name}: {error}; or {_by_hand(known)}") from None


def not_here(entry: Entry) -> DataError:
    """Return an error that says how to get a data set that is not on this machine."""
    if entry.url is not None:
        size = "" if entry.size is None else f" ({entry.size / 1e6:,.0f} MB)"
        return DataError(
            f"{entry.name} is not on this machine: run `matexapps datasets get {entry.name}`{size} "
            f"once, or {_by_hand(entry)}"
        )
    made = "" if entry.made_by is None else f"make it with `{entry.made_by}`, or "
    return DataError(f"{entry.name} is not on this machine: {made}{_by_hand(entry)}")


def datasets_folder() -> Path | None:
    """Return the project's ``datasets/``, or None if the package is not in a checkout."""
    root = Path(matexapps.__file__).resolve().parents[1]
    folder = root / "datasets"
    return folder if folder.is_dir() and (root / "pyproject.toml").is_file() else None


def cache_folder() -> Path:
    """Return this user's folder for downloads."""
    import pooch

    return Path(pooch.os_cache("matexapps"))


def _candidates(entry: Entry) -> Iterator[Path]:
    given = os.environ.get(VARIABLE)
    if given:
        folder = Path(given)
        if not folder.is_dir():
            raise DataError(f"{VARIABLE}={given} is not a folder: set it to one, or unset it")
        for name in entry.files:
            yield from (folder / name, folder / entry.name / name)
    if entry.folder is not None:
        yield from (entry.folder / name for name in entry.files)
    yield from (cache_folder() / entry.name / name for name in entry.files)


def _by_hand(entry: Entry) -> str:
    file = entry.files[0]
    if entry.url is None:
        where = "" if entry.made_by else f"get {file} from {entry.source} and "
        return f"{where}set {VARIABLE} to a folder that holds {file}"
    return f"fetch {file} by hand from {entry.url} and set {VARIABLE} to the folder you put it in"
