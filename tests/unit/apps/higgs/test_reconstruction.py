"""Masses and the neutrino, from four-momenta made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from matexapps.apps.higgs.schema import FEATURES, HIGH_LEVEL
from matexapps.apps.higgs.simulation.jets import MOST_JETS, Jets
from matexapps.apps.higgs.simulation.kinematics import (
    angular_distance,
    azimuth,
    four_vector,
    invariant_mass,
    pseudorapidity,
    transverse_momentum,
)
from matexapps.apps.higgs.simulation.reconstruction import (
    TOP_MASS_GEV,
    W_MASS_GEV,
    build_features,
    choose_jets,
    neutrino_momentum,
    reconstruct_masses,
)


def random_vectors(count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return four_vector(
        rng.uniform(20, 200, count), rng.normal(0, 1, count), rng.uniform(-np.pi, np.pi, count)
    )


def event_jets(*momenta: np.ndarray) -> Jets:
    """One event with these jets, in this order."""
    momentum = np.zeros((1, MOST_JETS, 4))
    momentum[0, : len(momenta)] = momenta
    return Jets(momentum, np.arange(MOST_JETS)[None] < len(momenta))


def test_four_vectors_are_massless_and_give_back_what_they_are_made_of():
    momentum = four_vector(40.0, -1.3, 2.9)
    assert invariant_mass(momentum) == pytest.approx(0.0, abs=1e-5)
    assert transverse_momentum(momentum) == pytest.approx(40.0)
    assert pseudorapidity(momentum) == pytest.approx(-1.3)
    assert azimuth(momentum) == pytest.approx(2.9)


def test_two_opposite_momenta_of_50_gev_weigh_100_gev():
    pair = four_vector([50.0, 50.0], 0.0, [0.0, np.pi])
    assert invariant_mass(pair[0] + pair[1]) == pytest.approx(100.0)


def test_distance_goes_the_short_way_around():
    turn = angular_distance(*(np.array(v) for v in (0.3, 3.1, 0.3, -3.1)))
    assert turn == pytest.approx(2 * np.pi - 6.2)


@pytest.mark.parametrize("smaller", [True, False])
def test_lepton_and_neutrino_have_the_mass_of_the_w_wherever_they_can(smaller):
    lepton = random_vectors(500, seed=1)
    missing = random_vectors(500, seed=2)
    neutrino = neutrino_momentum(lepton, missing[:, 0], missing[:, 1], np.full(500, smaller))
    opening = azimuth(lepton) - azimuth(missing)
    transverse = np.sqrt(
        2 * transverse_momentum(lepton) * transverse_momentum(missing) * (1 - np.cos(opening))
    )
    solvable = transverse < W_MASS_GEV
    mass = invariant_mass(lepton + neutrino)
    assert 100 < solvable.sum() < 400
    np.testing.assert_allclose(mass[solvable], W_MASS_GEV, rtol=1e-6)
    # Where it cannot be, the pair is as light as it can be.
    np.testing.assert_allclose(mass[~solvable], transverse[~solvable], rtol=1e-6)
    np.testing.assert_allclose(invariant_mass(neutrino), 0.0, atol=1e-3)
    np.testing.assert_allclose(neutrino[:, :2], missing[:, :2])


def test_the_smaller_solution_is_the_smaller():
    lepton, missing = random_vectors(300, seed=3), random_vectors(300, seed=4)
    yes = np.ones(300, dtype=bool)
    small = neutrino_momentum(lepton, missing[:, 0], missing[:, 1], yes)
    large = neutrino_momentum(lepton, missing[:, 0], missing[:, 1], ~yes)
    assert (np.abs(small[:, 2]) <= np.abs(large[:, 2])).all()
    assert (np.abs(small[:, 2]) < np.abs(large[:, 2])).any()


def test_a_neutrino_that_was_there_is_found_again():
    w_boson_at_rest = (
        four_vector(W_MASS_GEV / 2, 0.0, 0.7),
        four_vector(W_MASS_GEV / 2, 0.0, 0.7 + np.pi),
    )
    lepton, truth = w_boson_at_rest
    momentum = neutrino_momentum(lepton[None], truth[None, 0], truth[None, 1], np.array([True]))
    np.testing.assert_allclose(momentum[0], truth, atol=1e-4)


def test_tagged_jets_are_the_b_quarks_and_the_w_is_the_best_pair_of_the_others():
    # The second and fourth jet have exactly the mass of the W.
    half = W_MASS_GEV / 2
    jets = event_jets(
        four_vector(120.0, 0.5, 1.0),
        four_vector(half, 0.0, 0.0),
        four_vector(60.0, -0.5, 2.0),
        four_vector(half, 0.0, np.pi),
        four_vector(30.0, 1.0, -1.0),
    )
    tags = np.zeros((1, MOST_JETS), dtype=np.int64)
    tags[0, [0, 4]] = 1, 2
    assert choose_jets(jets, tags)[0, :2].tolist() == [0, 4]
    assert sorted(choose_jets(jets, tags)[0, 2:].tolist()) == [1, 3]


def test_the_b_quark_nearest_to_the_top_mass_goes_to_the_hadronic_top():
    lepton, neutrino, third, fourth, first, second = (
        random_vectors(200, seed=seed) for seed in range(10, 16)
    )
    masses = reconstruct_masses(lepton, neutrino, (third, fourth), (first, second))
    m_jj, m_jjj, m_lv, m_jlv, m_bb, m_wbb, m_wwbb = masses.T
    hadronic, leptonic, both = first + second, lepton + neutrino, third + fourth
    with_one, with_other = invariant_mass(hadronic + third), invariant_mass(hadronic + fourth)
    takes_one = np.abs(with_one - TOP_MASS_GEV) <= np.abs(with_other - TOP_MASS_GEV)
    np.testing.assert_allclose(m_jj, invariant_mass(hadronic))
    np.testing.assert_allclose(m_lv, invariant_mass(leptonic))
    np.testing.assert_allclose(m_bb, invariant_mass(both))
    np.testing.assert_allclose(m_jjj, np.where(takes_one, with_one, with_other))
    np.testing.assert_allclose(
        m_jlv,
        np.where(takes_one, invariant_mass(leptonic + fourth), invariant_mass(leptonic + third)),
    )
    np.testing.assert_allclose(m_wwbb, invariant_mass(leptonic + hadronic + both))
    assert (m_wbb >= invariant_mass(leptonic + both) - 1e-9).all()
    assert (m_wbb >= invariant_mass(hadronic + both) - 1e-9).all()
    assert takes_one.any()
    assert not takes_one.all()


def test_features_of_an_event_stand_in_the_order_of_the_schema():
    momenta = [
        four_vector(pt, eta, phi)
        for pt, eta, phi in ((90, 0.1, 0.2), (80, 0.3, 1.4), (70, -0.5, 2.6), (60, 0.7, -1.8))
    ]
    tags = np.zeros((1, MOST_JETS), dtype=np.int64)
    tags[0, :4] = 2, 0, 1, 0
    features = build_features(
        four_vector([45.0], [-0.4], [1.1]),
        np.array([3.0]),
        np.array([4.0]),
        event_jets(*momenta),
        tags,
        np.random.default_rng(0),
    )
    row = dict(zip(FEATURES, features[0], strict=True))
    assert row["lepton_pt"] == pytest.approx(45.0)
    assert row["lepton_phi"] == pytest.approx(1.1)
    assert row["missing_energy_magnitude"] == pytest.approx(5.0)
    assert row["missing_energy_phi"] == pytest.approx(np.arctan2(4.0, 3.0))
    assert [row[f"jet_{j}_pt"] for j in (1, 2, 3, 4)] == pytest.approx([90, 80, 70, 60])
    assert [row[f"jet_{j}_b_tag"] for j in (1, 2, 3, 4)] == [2, 0, 1, 0]
    assert row["m_bb"] == pytest.approx(float(invariant_mass(momenta[0] + momenta[2])))
    assert row["m_jj"] == pytest.approx(float(invariant_mass(momenta[1] + momenta[3])))
    assert all(row[name] > 0 for name in HIGH_LEVEL)
