"""The molecules behind a file or a name of the catalog."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from matexapps.apps.molecules.files import read_records
from matexapps.apps.molecules.records import Records
from matexapps.apps.molecules.settings import ExperimentSettings
from matexapps.apps.molecules.sources import locate, names
from matexapps.apps.molecules.tasks import task_of
from matexapps.data.catalog import catalog
from matexapps.errors import DataError


def load_records(settings: ExperimentSettings) -> Records:
    """Read the rows that an experiment is to use: those with a value, or a draw from them.

    Raises
    ------
    DataError
        If there is no such file or name, it cannot be read, or it has nothing to learn.
    """
    path, schema = locate(settings.data)
    targets = settings.target_columns or names(schema.label)
    classes = settings.classes or (schema.classes if targets == names(schema.label) else None)
    records = read_records(
        path,
        smiles_columns=settings.smiles_columns or names(schema.features),
        target_columns=targets,
        part_column=settings.split_column,
        classes=None if classes is None else (classes[0], classes[1]),
    )
    units = catalog.units(settings.data)
    named = [replace(one, unit=units.get(one.name, one.unit)) for one in records.targets]
    records = replace(records, targets=named)
    if not records.targets:
        kind = "numbers" if classes is None else " or ".join(map(repr, classes))
        raise DataError(
            f"{records.source} has no column of {kind} alone to learn: name one with "
            "target_columns, and the first cell that is something else will be told"
        )
    task_of(records.targets)
    known = np.flatnonzero(np.isfinite(records.values).any(1))
    if len(known) == 0:
        raise DataError(f"{records.source} has no value in {', '.join(map(str, records.targets))}")
    if settings.molecules is not None and settings.molecules < len(known):
        drawn = np.random.default_rng(settings.seed).permutation(known)[: settings.molecules]
        known = np.sort(drawn)
    return records.take(known)
