"""The structures behind a file or a name of the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matexapps.apps.molecules.files import read_records
from matexapps.apps.molecules.records import Records
from matexapps.data import catalog


def read_structures(data: str, smiles_columns: str | None, columns: Sequence[str] = ()) -> Records:
    """Read all structures, with the values of some columns.

    Parameters
    ----------
    data : str
        A file of molecules, or a name of the catalogue.
    smiles_columns : str or None
        The column of structures; None takes the one called "smiles".
    columns : sequence of str
        Columns of numbers.

    Raises
    ------
    DataError
        If there is no such file or name, or it cannot be read.
    """
    given = Path(data)
    named = not given.suffix and not given.exists()
    return read_records(
        catalog.get(data) if named else given,
        smiles_columns=smiles_columns,
        target_columns=list(columns),
    )
