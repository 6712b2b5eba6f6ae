"""One data set of the catalog."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from matexapps.data.catalog.cards import CHECKSUMS, Card
from matexapps.data.schema.schema import Column, Schema
from matexapps.errors import DataError


@dataclass(frozen=True)
class Entry:
    """Facts about a data set.

    Attributes
    ----------
    name, title : str
    files : tuple of str
        File names that are accepted, the usual one first.
    source, license, citation : str
        Where it comes from, under what terms, and what to cite.
    schema : Schema
        Which column of the file is what.
    description : str
        A few sentences, Markdown.
    rows, size : int or None
        Number of rows, and bytes of the usual file.
    simulated : bool
        Whether the rows are simulated.
    url, checksum : str or None
        Address of the usual file, and its ``algorithm:hex``.
    made_by : str or None
        The command that makes the file.
    folder : Path or None
        Its folder in the project's ``datasets/``.
    units : dict of str to str
        Units of columns whose names do not include them.
    """

    name: str
    title: str
    files: tuple[str, ...]
    source: str
    license: str
    citation: str
    schema: Schema
    description: str
    rows: int | None = None
    size: int | None = None
    simulated: bool = False
    url: str | None = None
    checksum: str | None = None
    made_by: str | None = None
    folder: Path | None = None
    units: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_card(cls, card: Card) -> Entry:
        """Make an entry from a card.

        Raises
        ------
        DataError
            If a number, a yes or no, or a unit in the card is not one.
        """
        facts = card.facts
        missing = card.words("missing")
        checksum = next((f"{kind}:{facts[kind]}" for kind in CHECKSUMS if kind in facts), None)
        return cls(
            name=facts["name"],
            title=facts["title"],
            files=card.words("file") or (),
            source=facts["source"],
            license=facts["license"],
            citation=facts.get("citation", ""),
            schema=Schema(
                features=card.words("features"),
                label=_column(facts.get("label")),
                weight=_column(facts.get("weight")),
                missing=None if missing is None else tuple(_float(card, v) for v in missing),
                classes=card.words("classes"),
                columns=card.words("columns"),
            ),
            description=card.text,
            rows=_integer(card, "rows"),
            size=_integer(card, "size"),
            simulated=_yes(card, "simulated"),
            url=facts.get("url"),
            checksum=checksum,
            made_by=facts.get("made_by"),
            folder=card.path.parent if card.path.name == "card.md" else None,
            units=_units(card),
        )

    def as_markdown(self) -> str:
        """Return all facts as a text for people."""
        facts = {
            "Rows": None if self.rows is None else f"{self.rows:,}",
            "File": self.files[0] + ("" if self.size is None else f", {self.size / 1e6:,.1f} MB"),
            "Simulated": "yes" if self.simulated else "no",
            "Source": self.source,
            "License": self.license,
            "Cite": self.citation,
            "Download": self.url,
            "Checksum": self.checksum,
            "Made by": self.made_by,
        }
        lines = [f"- {key}: {value}" for key, value in facts.items() if value]
        return "\n".join([f"# {self.title} (`{self.name}`)", "", *lines, "", self.description])


def _column(text: str | None) -> Column | None:
    """Return a column's position if the card gives a number, otherwise its name."""
    return int(text) if text is not None and text.isdigit() else text


def _integer(card: Card, key: str) -> int | None:
    text = card.facts.get(key)
    if text is None:
        return None
    digits = text.replace(",", "").replace("_", "")
    if not digits.isdigit():
        raise DataError(f"{card.path}: {key} is {text!r}, not a whole number")
    return int(digits)


def _units(card: Card) -> dict[str, str]:
    units = {}
    for text in card.words("units") or ():
        column, equals, unit = text.rpartition(" = ")
        if not equals:
            raise DataError(f"{card.path}: units hold {text!r}: write column = unit")
        units[column] = unit
    return units


def _float(card: Card, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise DataError(f"{card.path}: missing is {text!r}, not a number") from None


def _yes(card: Card, key: str) -> bool:
    text = card.facts.get(key, "no").lower()
    if text not in ("yes", "no"):
        raise DataError(f"{card.path}: {key} is {text!r}: write yes or no")
    return text == "yes"
