"""GFN2-xTB at one structure.

Bannwarth, Ehlert, Grimme, J. Chem. Theory Comput. 15 (2019) 1652; solvation by ALPB, Ehlert, Stahn,
Spicher, Grimme, J. Chem. Theory Comput. 17 (2021) 4250. Computed by tblite (extra ``quantum``).

The structure is that of the force field, and the method binds atoms too strongly (methane: 22 eV,
measured about 18): atomization energies are labels to learn from, not thermochemistry.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit.Chem import GetFormalCharge, GetPeriodicTable, Mol

from matexapps.apps.molecules.quantum.geometry import NotComputed, conformer, positions
from matexapps.experiment.campaign.task import Task

METHOD = "GFN2-xTB"
HARTREE_EV = 27.211386245988
HARTREE_KCAL = 627.5094740631
ATOMIC_DIPOLE_DEBYE = 2.541746473

COLUMNS = (
    "total energy (hartree)",
    "atomization energy (eV)",
    "HOMO (eV)",
    "LUMO (eV)",
    "HOMO-LUMO gap (eV)",
    "dipole moment (debye)",
    "solvation free energy in water (kcal/mol)",
    "solvation free energy in octanol (kcal/mol)",
)
"""Computed properties."""

_SOLVENTS = ("water", "octanol")
_UNPAIRED = {1: 1, 2: 0, 3: 1, 4: 2, 5: 3, 6: 2, 7: 1, 8: 0}


class Labeler:
    """Computes the labels of a campaign, in a child process.

    Neither an embedding nor tblite can be interrupted: a computation that takes too long, or
    crashes, ends this process and not the rank.
    """

    def __init__(self) -> None:
        solve(np.array([2]), np.zeros((1, 3)))  # loads tblite before any time limit applies

    def __call__(self, task: Task) -> list[float | None]:
        """Return the values of a molecule, None for those that do not exist.

        Parameters
        ----------
        task : Task
            The key is a SMILES, the spec the seed of the first conformer; another attempt takes
            another conformer.

        Raises
        ------
        NotComputed
            If there are none.
        """
        molecule = conformer(task.key, task.spec + task.attempt, again=task.attempt > 0)
        return [value if math.isfinite(value) else None for value in single_point(molecule)]


def single_point(molecule: Mol) -> list[float]:
    """Return the values of :data:`COLUMNS` for a molecule with coordinates.

    The atomization energy is that of free atoms, with the same method, minus that of the molecule,
    without vibrations. Solvation energies are for the structure in the gas phase.

    Raises
    ------
    NotComputed
        If the electronic structure does not converge, or an element has no parameters.
    """
    numbers = np.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()])
    charge = GetFormalCharge(molecule)
    unpaired = sum(atom.GetNumRadicalElectrons() for atom in molecule.GetAtoms())
    coordinates = positions(molecule)
    gas = solve(numbers, coordinates, charge, unpaired)
    energy = float(gas["energy"])
    highest, lowest = frontier(gas["orbital-energies"], gas["orbital-occupations"])
    solvated = [
        float(solve(numbers, coordinates, charge, unpaired, solvent)["energy"])
        for solvent in _SOLVENTS
    ]
    return [
        energy,
        (sum(atom_energy(int(number)) for number in numbers) - energy) * HARTREE_EV,
        highest,
        lowest,
        lowest - highest,
        float(np.linalg.norm(gas["dipole"])) * ATOMIC_DIPOLE_DEBYE,
        *((value - energy) * HARTREE_KCAL for value in solvated),
    ]


def solve(
    numbers: NDArray[np.int64],
    coordinates: NDArray[np.float64],
    charge: int = 0,
    unpaired: int = 0,
    solvent: str | None = None,
) -> Any:
    """Return tblite's result, in atomic units.

    Parameters
    ----------
    numbers : ndarray of int64, shape (atoms,)
        Atomic numbers.
    coordinates : ndarray, shape (atoms, 3)
        In bohr.
    charge, unpaired : int
        Of the molecule.
    solvent : str or None
        None for the gas phase.
    """
    from tblite.exceptions import TBLiteRuntimeError
    from tblite.interface import Calculator

    try:
        calculator = Calculator(METHOD, numbers, coordinates, charge, unpaired)
        calculator.set("verbosity", 0)
        if solvent is not None:
            calculator.add("alpb-solvation", solvent)
        return calculator.singlepoint()
    except TBLiteRuntimeError as error:
        raise NotComputed(f"{METHOD}: {' '.join(str(error).split())}") from None


def frontier(
    energies: NDArray[np.float64], occupations: NDArray[np.float64]
) -> tuple[float, float]:
    """Return the energies in eV of the highest occupied and the lowest empty orbital.

    Singly occupied orbitals count as occupied; NaN where there is no empty orbital.
    """
    occupied = int((occupations > 0.5).sum())
    lowest = energies[occupied] if occupied < len(energies) else math.nan
    return float(energies[occupied - 1]) * HARTREE_EV, float(lowest) * HARTREE_EV


@cache
def atom_energy(number: int) -> float:
    """Return the energy of a free atom in hartree, with spins according to Hund's rule."""
    outer = GetPeriodicTable().GetNOuterElecs(number)
    unpaired = _UNPAIRED.get(outer, outer % 2)
    return float(solve(np.array([number]), np.zeros((1, 3)), 0, unpaired)["energy"])
