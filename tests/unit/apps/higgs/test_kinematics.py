"""Physics inputs: what they must not depend on, and values from the definitions."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from matexapps.apps.higgs.kinematics import (
    W_MASS,
    KinematicInputs,
    four_momenta,
    invariant_mass,
    neutrino,
)
from matexapps.apps.higgs.schema import FEATURES
from matexapps.apps.higgs.units import UCI_UNITS, column_units
from matexapps.errors import DataError

PHYSICAL = np.ones(28, dtype=np.float32)
PHI = [i for i, name in enumerate(FEATURES) if name.endswith("_phi")]
ETA = [i for i, name in enumerate(FEATURES) if name.endswith("_eta")]


def inputs_of(features: np.ndarray, units: np.ndarray = PHYSICAL) -> np.ndarray:
    return KinematicInputs(units)(torch.from_numpy(features)).numpy()


def turned(phi: np.ndarray) -> np.ndarray:
    return (phi + 1.1 + np.pi) % (2 * np.pi) - np.pi


@pytest.mark.parametrize(
    ("columns", "change"), [(PHI, turned), (PHI, np.negative), (ETA, np.negative)]
)
def test_turning_and_mirroring_an_event_changes_nothing(events, columns, change):
    moved = events.copy()
    moved[:, columns] = change(events[:, columns])
    np.testing.assert_allclose(inputs_of(moved), inputs_of(events), rtol=2e-3, atol=2e-3)


def test_the_order_of_jets_changes_nothing(events):
    shuffled = events.copy()
    shuffled[:, 5:21] = events[:, 5:21].reshape(-1, 4, 4)[:, [2, 0, 3, 1]].reshape(-1, 16)
    np.testing.assert_allclose(inputs_of(shuffled), inputs_of(events), rtol=1e-4, atol=1e-4)


def test_rows_in_uci_units_give_the_inputs_of_physical_rows(events):
    in_uci_units = (events / UCI_UNITS).astype(np.float32)
    units = column_units(in_uci_units)
    np.testing.assert_array_equal(units, UCI_UNITS)
    np.testing.assert_array_equal(column_units(events), PHYSICAL)
    np.testing.assert_allclose(
        inputs_of(in_uci_units, units), inputs_of(events), rtol=2e-3, atol=2e-3
    )


def test_inputs_are_finite_for_extreme_rows(events):
    events[0], events[1] = 0.0, 1e-6
    events[2, [0, 3, 5, 9, 13, 17]] = 5000.0
    events[3, 3] = 0.0
    assert np.isfinite(inputs_of(events)).all()


def test_mass_of_two_massless_particles():
    pt, eta, phi = torch.tensor([50.0, 30.0]), torch.tensor([0.3, -1.2]), torch.tensor([0.1, 2.0])
    momenta = four_momenta(pt, eta, phi)
    expected = np.sqrt(2 * 50 * 30 * (np.cosh(1.5) - np.cos(1.9)))
    assert float(invariant_mass(momenta.sum(0))) == pytest.approx(expected, rel=1e-5)
    assert float(invariant_mass(momenta[0])) == pytest.approx(0.0, abs=0.05)


def test_neutrino_puts_the_lepton_pair_at_the_w_mass_or_at_its_transverse_mass(events):
    columns = torch.from_numpy(events).double()
    lepton = four_momenta(columns[:, 0], columns[:, 1], columns[:, 2])
    x, y = columns[:, 3] * columns[:, 4].cos(), columns[:, 3] * columns[:, 4].sin()
    momentum = neutrino(lepton, x, y)
    turn = columns[:, 2] - columns[:, 4]
    transverse = (2 * columns[:, 0] * columns[:, 3] * (1 - turn.cos())).sqrt()
    expected = transverse.clamp_min(W_MASS)
    assert (transverse > W_MASS).any()
    assert (transverse < W_MASS).any()
    torch.testing.assert_close(invariant_mass(lepton + momentum), expected, rtol=1e-6, atol=1e-6)


def test_rows_with_other_columns_are_refused():
    with pytest.raises(DataError, match=r"\(5, 30\).*28 columns"):
        column_units(np.zeros((5, 30), dtype=np.float32))


def test_units_reproduce_the_masses_of_real_rows():
    path = Path(os.environ.get("MATEXAPPS_DATA", "")) / "higgs" / "uci_higgs_500.tsv"
    if not path.is_file():
        pytest.skip("MATEXAPPS_DATA names no folder with the real rows")
    features = np.loadtxt(path, dtype=np.float32)[:, 1:]
    columns = features * column_units(features)
    jets = torch.from_numpy(columns[:, 5:21].reshape(-1, 4, 4))
    tagged = jets[:, :, 3] > 0.5
    two = tagged.sum(1) == 2
    momenta = four_momenta(jets[:, :, 0], jets[:, :, 1], jets[:, :, 2]) * tagged[:, :, None]
    mass = invariant_mass(momenta.sum(1))[two].numpy()
    ratio = mass / columns[two.numpy(), FEATURES.index("m_bb")]
    assert two.sum() > 300
    assert np.mean(np.abs(ratio - 1) < 0.003) > 0.9
