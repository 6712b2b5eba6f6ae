"""GFN2-xTB beside values of the program xtb, theory and measurement."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tblite", reason="needs the extra quantum")

from threadpoolctl import threadpool_limits

from matexapps.apps.molecules.data.targets import Target
from matexapps.apps.molecules.quantum.geometry import NotComputed, conformer
from matexapps.apps.molecules.quantum.single_point import (
    COLUMNS,
    HARTREE_EV,
    METHOD,
    Labeler,
    frontier,
    solve,
)
from matexapps.experiment.campaign.campaign import Campaign
from matexapps.experiment.campaign.task import Task

# Structures in bohr, and the energies in hartree and gaps in eV that xtb, an implementation of its
# own, has for them in its tests (grimme-lab/xtb, test/unit/test_gfn2.f90).
WATER = (
    [8, 1, 1],
    [
        [0.0, 0.0, -0.73578586109551],
        [1.44183152868459, 0.0, 0.36789293054775],
        [-1.44183152868459, 0.0, 0.36789293054775],
    ],
)
PROPYNE = (
    [6, 6, 6, 1, 1, 1, 1],
    [
        [0.0, 0.0, -1.79755622305860],
        [0.0, 0.0, 0.95338756106749],
        [0.0, 0.0, 3.22281255790261],
        [-0.96412815539807, -1.66991895015711, -2.53624948351102],
        [-0.96412815539807, 1.66991895015711, -2.53624948351102],
        [1.92825631079613, 0.0, -2.53624948351102],
        [0.0, 0.0, 5.23010455462158],
    ],
)


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def labels():
    """What computes the labels of a SMILES."""
    labeler = Labeler()
    return lambda smiles: labeler(Task(smiles, spec=0, seed=0, attempt=0))


def arrays(molecule):
    return np.array(molecule[0]), np.array(molecule[1])


@pytest.mark.parametrize(
    ("molecule", "energy", "gap"),
    [(WATER, -5.070451355118, 14.450372368833), (PROPYNE, -8.3824793849585, 7.0005867526665)],
)
def test_energy_and_gap_are_those_of_xtb(molecule, energy, gap):
    results = solve(*arrays(molecule))
    assert results["energy"] == pytest.approx(energy, abs=1e-6)
    highest, lowest = frontier(results["orbital-energies"], results["orbital-occupations"])
    assert lowest - highest == pytest.approx(gap, abs=1e-3)
    if molecule is WATER:
        assert highest == pytest.approx(-12.166283951806, abs=1e-3)


def test_the_dipole_is_the_answer_of_the_energy_to_a_field():
    from tblite.interface import Calculator
    from tblite.library import ffi

    def energy(field: float) -> float:
        calculator = Calculator(METHOD, *arrays(WATER))
        calculator.set("verbosity", 0)
        calculator.set("accuracy", 0.01)
        calculator.add("electric-field", ffi.new("double[3]", [0.0, 0.0, field]))
        return float(calculator.singlepoint()["energy"])

    slope = (energy(1e-3) - energy(-1e-3)) / 2e-3
    assert -slope == pytest.approx(solve(*arrays(WATER))["dipole"][2], rel=1e-3)


def test_labels_of_a_smiles_agree_with_symmetry_and_measurement(labels):
    # Hydration free energies in kcal/mol as measured: FreeSolv, Mobley and Guthrie, J. Comput.
    # Aided Mol. Des. 28 (2014) 711. Dipoles in debye: CRC Handbook of Chemistry and Physics.
    measured = {
        "C": (0.0, 2.0),
        "c1ccccc1": (0.0, -0.9),
        "CCO": (1.69, -5.0),
        "CC(C)=O": (2.88, -3.8),
        "CC#N": (3.92, -3.9),
        "CC(N)=O": (3.68, -9.7),
    }
    computed = np.array([labels(molecule) for molecule in measured])
    dipole, hydration = np.array(list(measured.values())).T
    column_of = [Target.from_header(column).name for column in COLUMNS].index
    np.testing.assert_allclose(computed[:, column_of("dipole moment")], dipole, atol=0.8)
    assert computed[:2, column_of("dipole moment")].max() < 0.01  # symmetry forbids any
    error = computed[:, column_of("solvation free energy in water")] - hydration
    assert np.abs(error).max() < 3
    np.testing.assert_allclose(
        computed[:, column_of("HOMO-LUMO gap")],
        computed[:, column_of("LUMO")] - computed[:, column_of("HOMO")],
    )
    assert (computed[:, column_of("atomization energy")] > 0).all()
    assert computed[0, column_of("total energy")] == pytest.approx(
        solve(np.array([6]), np.zeros((1, 3)), 0, 2)["energy"]
        + 4 * solve(np.array([1]), np.zeros((1, 3)), 0, 1)["energy"]
        - computed[0, column_of("atomization energy")] / HARTREE_EV
    )
    units = [Target.from_header(column).unit for column in COLUMNS]
    assert units == ["hartree", *["eV"] * 4, "debye", *["kcal/mol"] * 2]


def test_the_seed_decides_the_conformer():
    first, same, other = (
        conformer("CCCCCO", seed).GetConformer().GetPositions() for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, same)
    assert np.abs(first - other).max() > 0.1


def test_what_takes_too_long_or_is_unknown_has_a_reason_and_the_next_is_computed(labels, tmp_path):
    with pytest.raises(NotComputed, match="neither MMFF94 nor UFF"):
        labels("[He]")
    campaign = Campaign("computing", Labeler, tmp_path, time_limit_s=1.0)
    tasks = [(smiles, 0) for smiles in ("C" * 150, "[He]", "O")]
    long, unknown, water = campaign.run(tasks).outcomes
    assert long.reason == "not done within 1 s"
    assert unknown.message == "neither MMFF94 nor UFF has parameters for its atoms"
    assert water.value == labels("O")
    assert water.value[0] == pytest.approx(-5.07, abs=0.01)
