"""``python -m matexapps.apps.molecules.data.tables.qm9 TABLE.csv``: computed properties, from QM9.

Writes B3LYP properties of 130,831 molecules with up to nine atoms of C, N, O and F. Source is the
package ``qm9pack`` (extra ``qm9``), which holds the data of Ramakrishnan et al., Sci. Data 1 (2014)
140022. Its files are read where they lie: importing the package fails with a new setuptools.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator

from matexapps.apps.molecules.data.tables.command import installed_file, write_table

_PARTS = tuple(f"qm9pack/data/qm9_part{number}.csv" for number in (1, 2, 3))
_COLUMNS = {
    "smiles": "SMILES",
    "dipole moment (D)": "Dipole_debye",
    "polarisability (a0^3)": "Polarizability_bohr3",
    "HOMO (Hartree)": "HOMO_au",
    "LUMO (Hartree)": "LUMO_au",
    "gap (Hartree)": "HOMO_LUMO_gap_au",
    "extent (a0^2)": "R2_bohr2",
    "zero-point energy (Hartree)": "ZPVE_au",
    "U0 (Hartree)": "InternalEnergy_0K_au",
    "U (Hartree)": "InternalEnergy_298K_au",
    "H (Hartree)": "Enthalphy_298K_au",  # as the source spells it
    "G (Hartree)": "GibbsFreeEnergy_298K_au",
    "heat capacity (cal/mol/K)": "Heatcapacity_Cv_cal_mol_K",
}
COLUMNS = tuple(_COLUMNS)
"""The columns of the table."""


def main(arguments: list[str]) -> int:
    """Write the table and return the exit status."""
    return write_table(arguments, __doc__, COLUMNS, computed_rows)


def computed_rows() -> Iterator[tuple[str, ...]]:
    """Yield structure and properties of each molecule, in the order of QM9."""
    csv.field_size_limit(2**24)  # a cell holds all coordinates
    for part in _PARTS:
        path = installed_file("qm9pack", part, "qm9")
        with open(path, encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                yield tuple(row[name] for name in _COLUMNS.values())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
