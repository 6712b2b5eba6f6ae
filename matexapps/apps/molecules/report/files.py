"""Lists beside a model: rejected rows and conflicts."""

from __future__ import annotations

from pathlib import Path

from matexapps.apps.molecules.data.molecule_set import MoleculeSet
from matexapps.files import write_csv

REJECTED, CONFLICTS = "rejected.csv", "conflicts.csv"


def write_lists(folder: Path, molecules: MoleculeSet) -> None:
    """Write ``rejected.csv`` and ``conflicts.csv`` into a folder."""
    rejected = ((row.row, row.smiles, row.reason) for row in molecules.rejected)
    conflicts = (
        (conflict.inchikey, str(conflict.target), row, conflict.target.text(value))
        for conflict in molecules.conflicts
        for row, value in zip(conflict.rows, conflict.values, strict=True)
    )
    write_csv(folder / REJECTED, ("row", "smiles", "reason"), rejected)
    write_csv(folder / CONFLICTS, ("inchikey", "target", "row", "value"), conflicts)
