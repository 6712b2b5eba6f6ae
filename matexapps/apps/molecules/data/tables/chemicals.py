"""``python -m matexapps.apps.molecules.data.tables.chemicals TABLE.csv``: organic compounds.

Writes measured melting points, boiling points and octanol-water partition coefficients of organic
molecules that the package ``chemicals`` (extra ``molecules-data``) collects.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from rdkit.Chem import GetFormalCharge, GetMolFrags, Mol

from matexapps.apps.molecules.data.standardize import Rejected, parse
from matexapps.apps.molecules.data.tables.command import write_table
from matexapps.errors import MissingExtraError

COLUMNS = ("cas", "smiles", "melting point (K)", "boiling point (K)", "logP")
"""The columns of the table."""

_ELEMENTS = {"H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Br", "I"}
_MOST_ATOMS = 60
_SOURCES = (("Tm", ("CRC_ORG", "OPEN_NTBKM")), ("Tb", ("CRC_ORG",)), ("logP", ("SYRRES", "CRC")))


def main(arguments: list[str]) -> int:
    """Write the table and return the exit status."""
    return write_table(arguments, __doc__, COLUMNS, organic_rows)


def organic_rows() -> Iterator[tuple[object, ...]]:
    """Yield a row for each organic molecule with at least one measured value, by CAS number.

    Values that the package takes from estimates, or from tables that mix them with measurements,
    are left out.
    """
    try:
        from chemicals import environment, phase_change
        from chemicals.identifiers import search_chemical
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "this table is made of the package 'chemicals', which is not installed; install it "
            "with: pip install 'matexapps[molecules-data]'"
        ) from error
    modules = {"Tm": phase_change, "Tb": phase_change, "logP": environment}
    columns = [_column(modules[name], name, keys) for name, keys in _SOURCES]
    substances = {cas for column in columns for cas in column}
    for cas in sorted(substances, key=lambda text: [int(part) for part in text.split("-")]):
        try:
            smiles = search_chemical(cas).smiles
            if smiles and is_organic(parse(smiles)):
                values = (column.get(cas) for column in columns)
                cells = ("" if value is None else f"{value:g}" for value in values)
                yield (cas, smiles, *cells)
        except (ValueError, Rejected):  # unknown to the package, or not a SMILES
            continue


def is_organic(molecule: Mol) -> bool:
    """Whether a molecule is one fragment of common elements, with a carbon and no charge."""
    elements = [atom.GetSymbol() for atom in molecule.GetAtoms()]
    return (
        "C" in elements
        and 2 <= len(elements) <= _MOST_ATOMS
        and set(elements) <= _ELEMENTS
        and len(GetMolFrags(molecule)) == 1
        and GetFormalCharge(molecule) == 0
    )


def _column(module: Any, name: str, keys: tuple[str, ...]) -> dict[str, float]:
    """Return the values of the first source that has each substance, by CAS number."""
    getattr(module, name)("64-17-5")  # the package reads its tables on the first call
    sources = getattr(module, f"{name}_sources")
    values: dict[str, float] = {}
    for key in keys:
        for cas, value in sources[key][name].dropna().items():
            values.setdefault(str(cas), float(value))
    return values


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
