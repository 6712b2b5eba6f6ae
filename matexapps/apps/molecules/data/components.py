"""Rows of several structures, such as a solute and its solvent.

Each different structure is standardized and featurized once, however many rows contain it. Where
a row must be one text, its structures stand in order with `` + `` between them, which no SMILES and
no InChIKey contains.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matexapps.apps.molecules.data.standardize import Standard, standardize_all

_SEPARATOR = " + "


def join_structures(structures: Sequence[str]) -> str:
    """Return the structures of a row as one text."""
    return _SEPARATOR.join(structures)


def split_structures(row: str) -> list[str]:
    """Return the structures of a row."""
    return row.split(_SEPARATOR)


def standardize_rows(
    rows: Sequence[tuple[str, ...]],
    columns: Sequence[str],
    standardize: Callable[[list[str]], list[Standard | str]] = standardize_all,
) -> list[Standard | str]:
    """Return the standard form of each row, its structures joined, or why it has none.

    Parameters
    ----------
    rows : sequence of tuple of str
    columns : sequence of str
        Names of the structures of a row, for the reasons.
    standardize : callable
        Takes structures that all differ, and returns their standard forms or reasons.
    """
    texts = list(dict.fromkeys(text for row in rows for text in row))
    standards = dict(zip(texts, standardize(texts), strict=True))
    return [_joined([standards[text] for text in row], columns) for row in rows]


def _joined(standards: Sequence[Standard | str], columns: Sequence[str]) -> Standard | str:
    valid = [standard for standard in standards if isinstance(standard, Standard)]
    if len(valid) < len(standards):
        results = zip(columns, standards, strict=True)
        reasons = [(name, reason) for name, reason in results if isinstance(reason, str)]
        if len(columns) == 1:
            return reasons[0][1]
        return "; ".join(f"{name}: {reason}" for name, reason in reasons)
    return Standard(
        smiles=join_structures([standard.smiles for standard in valid]),
        inchikey=join_structures([standard.inchikey for standard in valid]),
        fragments=max(standard.fragments for standard in valid),
    )
