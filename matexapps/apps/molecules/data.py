"""The molecules behind a file or a name of the catalogue."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from matexapps.apps.molecules.files import read_records
from matexapps.apps.molecules.records import Records
from matexapps.apps.molecules.settings import ExperimentSettings
from matexapps.data import catalog
from matexapps.errors import DataError


def load_records(settings: ExperimentSettings) -> Records:
    """Read the rows that an experiment is to use: those with a value, or a draw from them.

    Raises
    ------
    DataError
        If there is no such file or name, it cannot be read, or it has nothing to learn.
    """
    given = Path(settings.data)
    named = not given.suffix and not given.exists()
    records = read_records(
        catalog.get(settings.data) if named else given,
        smiles_columns=settings.smiles_columns,
        target_columns=settings.target_columns,
        part_column=settings.split_column,
    )
    if not records.targets:
        raise DataError(
            f"{records.source} has no column of numbers to learn: name one with target_columns"
        )
    known = np.flatnonzero(np.isfinite(records.values).any(1))
    if len(known) == 0:
        raise DataError(f"{records.source} has no value in {', '.join(map(str, records.targets))}")
    if settings.molecules is not None and settings.molecules < len(known):
        drawn = np.random.default_rng(settings.seed).permutation(known)[: settings.molecules]
        known = np.sort(drawn)
    return records.take(known)
