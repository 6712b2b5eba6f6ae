"""Rows of several structures, such as a solute and its solvent.

Each different structure is standardized and featurized once, however many rows it stands in. Where
a row must be one text, its structures stand in order with `` + `` between them, which no SMILES and
no InChIKey holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matexapps.apps.molecules.data.standardize import Standard, standardize_all
from matexapps.apps.molecules.featurizers import Arrays
from matexapps.apps.molecules.featurizers.cache import FeatureCache
from matexapps.apps.molecules.featurizers.featurize import featurize
from matexapps.comm.communicator import Communicator

PARTS = "parts"
"""Beside features of different structures: their numbers, int64 (rows, structures of a row)."""

_BETWEEN = " + "


def join(structures: Sequence[str]) -> str:
    """Return the structures of a row as one text."""
    return _BETWEEN.join(structures)


def split(row: str) -> list[str]:
    """Return the structures of a row."""
    return row.split(_BETWEEN)


def standardize_rows(
    rows: Sequence[tuple[str, ...]],
    columns: Sequence[str],
    standardize: Callable[[list[str]], list[Standard | str]] = standardize_all,
) -> list[Standard | str]:
    """Return the standard forms of each row's structures, joined, or why it has none.

    Parameters
    ----------
    rows : sequence of tuple of str
    columns : sequence of str
        What the structures of a row are called.
    standardize : callable
        Does so with structures that all differ.
    """
    texts = list(dict.fromkeys(text for row in rows for text in row))
    standards = dict(zip(texts, standardize(texts), strict=True))
    return [_joined([standards[text] for text in row], columns) for row in rows]


def _joined(standards: Sequence[Standard | str], columns: Sequence[str]) -> Standard | str:
    good = [one for one in standards if isinstance(one, Standard)]
    if len(good) < len(standards):
        reasons = zip(columns, standards, strict=True)
        bad = [(name, one) for name, one in reasons if isinstance(one, str)]
        return bad[0][1] if len(columns) == 1 else "; ".join(f"{n}: {why}" for n, why in bad)
    return Standard(
        smiles=join([one.smiles for one in good]),
        inchikey=join([one.inchikey for one in good]),
        fragments=max(one.fragments for one in good),
    )


def featurize_rows(
    smiles: Sequence[str],
    inchikeys: Sequence[str],
    components: int,
    names: Sequence[str],
    comm: Communicator,
    cache: FeatureCache | None = None,
) -> Arrays:
    """Return features for rows of so many structures each, on every rank. Collective.

    Parameters
    ----------
    smiles, inchikeys : sequence of str
        Of rows, joined; the same on all ranks.
    components : int
        Structures of a row.
    names, comm, cache
        As for :func:`~matexapps.apps.molecules.featurizers.featurize.featurize`.

    Returns
    -------
    dict of str to ndarray
        Of one structure a row its features; of several the features of all different structures,
        and :data:`PARTS`.
    """
    if components == 1:
        return featurize(smiles, inchikeys, names, comm, cache)
    rows = [
        list(zip(split(text), split(key), strict=True))
        for text, key in zip(smiles, inchikeys, strict=True)
    ]
    pairs = dict.fromkeys(pair for row in rows for pair in row)
    different = {pair: number for number, pair in enumerate(pairs)}
    features = featurize(
        [text for text, _ in different], [key for _, key in different], names, comm, cache
    )
    return {**features, PARTS: np.array([[different[pair] for pair in row] for row in rows])}


def parts_of(features: Arrays, rows: int) -> NDArray[np.int64]:
    """Return the numbers of each row's structures, shape (rows, structures of a row)."""
    return features.get(PARTS, np.arange(rows)[:, None])


def side_by_side(features: Arrays, name: str) -> NDArray[Any]:
    """Return features of fixed width for each row, those of its structures side by side."""
    if PARTS not in features:
        return features[name]
    table = features[name][features[PARTS]]
    return table.reshape(len(table), -1)
