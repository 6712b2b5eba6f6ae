"""The molecules behind a file or a name of the catalogue."""

from __future__ import annotations

from pathlib import Path

from matexapps.apps.molecules.files import read_records
from matexapps.apps.molecules.records import Records
from matexapps.apps.molecules.settings import ExperimentSettings
from matexapps.data import catalog


def load_records(settings: ExperimentSettings) -> Records:
    """Read the molecules that an experiment is to use.

    Raises
    ------
    DataError
        If there is no such file or name, or it cannot be read.
    """
    given = Path(settings.data)
    named = not given.suffix and not given.exists()
    return read_records(
        catalog.get(settings.data) if named else given,
        smiles_columns=settings.smiles_columns,
        target_columns=settings.target_columns,
        part_column=settings.split_column,
    )
