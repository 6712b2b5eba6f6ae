"""Higgs rows from any of the files in use: UCI HIGGS, our simulation, the ATLAS challenge."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from matexapps.apps.higgs.schema import COLUMNS, FEATURES
from matexapps.apps.higgs.settings import SIMULATED
from matexapps.data.catalog import catalog
from matexapps.data.dataset import DataSet
from matexapps.data.rows import Rows
from matexapps.data.schema.schema import Schema
from matexapps.data.sources.formats import open_reader
from matexapps.data.sources.source import resolve

_CHALLENGE = catalog.entry("atlas-higgs-challenge-2014-v2").schema
KAGGLE_SET, _KAGGLE_WEIGHT = "KaggleSet", "KaggleWeight"
_MEMORY = "1TB"  # the baselines and the report go over all rows, so all must be there
_PARTS = {"train": "t", "validation": "b", "test": "v"}


def load_higgs(
    source: str | Path | None = None,
    test: str | Path | float = 0.2,
    *,
    validation: str | Path | float = 0.1,
    seed: int = 0,
) -> DataSet:
    """Return the data set behind a file or a name, whichever Higgs layout it has.

    Known are UCI's HIGGS (no header, label first), tables that name their columns, in any order
    and with any others between them, and the ATLAS challenge of 2014. Files may be CSV or TSV,
    also gzip, or HDF5. Where the 28 columns of HIGGS are found by name, they come in the order of
    ``FEATURES``; a table with other columns and a label is taken as it stands.

    A file of the challenge that has the columns KaggleSet and KaggleWeight is split as the
    challenge was: t trains, b (public leaderboard) validates, v (private leaderboard) tests, and
    the weights of each set add up to the full sample.

    Parameters
    ----------
    source : path, catalog name or None
        None is the simulated sample that comes with the project.
    test, validation : path or float
        A file of its own, or a fraction of the rows.
    seed : int
        Seed of the split.

    Returns
    -------
    DataSet
        Not read yet; only the head of the file was looked at.

    Raises
    ------
    DataError
        If there is no such file or name, or no column is called "label".
    """
    source = SIMULATED if source is None else source
    path, known = resolve(source, Schema())
    names = _column_names(path, replace(known, features=None))
    by_meaning = {canonical_name(name): name for name in names}
    if set(_challenge_features()) <= set(names):
        own_sets = {KAGGLE_SET, _KAGGLE_WEIGHT} <= set(names) and test == 0.2
        weight = _CHALLENGE.weight if _CHALLENGE.weight in names else None
        return DataSet(
            source,
            features=_challenge_features(),
            label=_CHALLENGE.label,
            weight=_KAGGLE_WEIGHT if own_sets else weight,
            missing=_CHALLENGE.missing,
            classes=_CHALLENGE.classes,
            validation=validation,
            test=test,
            split=KAGGLE_SET if own_sets else "random",
            parts=_PARTS if own_sets else None,
            seed=seed,
            binary=True,
            memory=_MEMORY,
        )
    features = None
    if set(FEATURES) <= set(by_meaning):
        features = [by_meaning[name] for name in FEATURES]
    return DataSet(
        source,
        features=features,
        columns=COLUMNS,
        validation=validation,
        test=test,
        seed=seed,
        binary=True,
        memory=_MEMORY,
    )


def canonical_name(name: str) -> str:
    """Return a column's name as in ``FEATURES``: ``"jet1 b-tag"`` becomes ``"jet_1_b_tag"``."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_")
    return re.sub(r"^jet(\d)", r"jet_\1", plain).replace("btag", "b_tag")


def balance_classes(rows: Rows) -> Rows:
    """Return the rows with weights scaled such that both classes have the same total.

    The mean weight becomes 1. Rows without weights come back as they are: there, the classes stand
    in the proportion that the sample has.
    """
    if rows.weight is None:
        return rows
    signal = rows.label == 1
    scale = np.where(signal, 1 / rows.weight[signal].sum(), 1 / rows.weight[~signal].sum())
    return replace(rows, weight=rows.weight * scale * len(rows) / 2)


def _column_names(path: Path, known: Schema) -> list[str]:
    """Return the names of a file's columns, the label's left out."""
    reader = open_reader(path, known if known.columns else replace(known, columns=COLUMNS))
    try:
        return reader.columns
    finally:
        reader.close()


def _challenge_features() -> tuple[str, ...]:
    features = _CHALLENGE.features
    assert isinstance(features, tuple)
    return features
