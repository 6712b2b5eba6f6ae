"""Cards: facts about a data set, in a Markdown file with a small front block.

A card begins with a block of ``key: value`` lines between two lines of three dashes; the text
below it is for people. The keys are those of :data:`KEYS`; ``name``, ``title``, ``file``,
``license`` and ``source`` are required. Lists (``file``, ``classes``, ``columns``, ``features``,
``missing``, and ``units`` as ``column = unit``) are separated by commas.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from matexapps.errors import DataError, did_you_mean

CHECKSUMS = ("sha256", "sha1", "md5")
KEYS = (
    "name",
    "title",
    "file",
    "rows",
    "size",
    "source",
    "license",
    "citation",
    "simulated",
    "made_by",
    "url",
    *CHECKSUMS,
    "label",
    "weight",
    "missing",
    "classes",
    "columns",
    "features",
    "units",
)
_REQUIRED = ("name", "title", "file", "license", "source")
_FENCE = "---"


@dataclass(frozen=True)
class Card:
    """A parsed card.

    Attributes
    ----------
    path : Path
    facts : dict of str to str
        The front block.
    text : str
        The Markdown below it.
    """

    path: Path
    facts: dict[str, str]
    text: str

    def words(self, key: str) -> tuple[str, ...] | None:
        """Return a fact that is a list, or None if the card does not have it."""
        value = self.facts.get(key)
        return None if value is None else tuple(word.strip() for word in value.split(","))


def read_card(path: Path) -> Card:
    """Read a card.

    Raises
    ------
    DataError
        If the front block is missing, has an unknown or repeated key, or lacks a required one.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    fences = [i for i, line in enumerate(lines) if line.strip() == _FENCE]
    if len(fences) < 2 or fences[0] != 0:
        raise DataError(f"{path}, line 1: a card begins with facts between two lines of '{_FENCE}'")
    facts: dict[str, str] = {}
    for number, line in enumerate(lines[1 : fences[1]], start=2):
        key, colon, value = (part.strip() for part in line.partition(":"))
        if not colon or key not in KEYS:
            raise DataError(
                f"{path}, line {number}: no fact is called {key!r}{did_you_mean(key, KEYS)}"
            )
        if key in facts:
            raise DataError(f"{path}, line {number}: {key!r} is given twice")
        facts[key] = value
    absent = [key for key in _REQUIRED if not facts.get(key)]
    if absent:
        raise DataError(f"{path}: the card does not say {', '.join(absent)}")
    return Card(path, facts, "\n".join(lines[fences[1] + 1 :]).strip() + "\n")
