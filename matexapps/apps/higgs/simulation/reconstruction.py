"""From a lepton, missing momentum and jets to the features of the benchmark.

The paper names the seven masses, not how the jets are chosen for them. The rules here are those
that the UCI rows themselves obey, found by recomputing its masses from its momenta: jets are
massless; the four leading jets are listed; the W candidate is the pair of untagged jets nearest to
the W mass, whether listed or not; m_jjj takes the b jet that brings it nearest to the top mass,
m_jlv the other one; m_wbb is the larger of its two choices; m_lv is the transverse mass where the W
mass cannot be reached.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from matexapps.apps.higgs.schema import JETS
from matexapps.apps.higgs.simulation.jets import Jets
from matexapps.apps.higgs.simulation.kinematics import (
    Array,
    azimuth,
    invariant_mass,
    pseudorapidity,
    transverse_momentum,
)

W_MASS_GEV = 80.4
TOP_MASS_GEV = 172.5
SMALLER_PZ_SHARE = 0.6
"""Share of events in which the UCI data take the neutrino solution with the smaller \\|pz\\|.

No rule behind the choice is known, so it is drawn.
"""


def neutrino_momentum(
    lepton: Array, missing_x: Array, missing_y: Array, take_smaller: NDArray[np.bool_]
) -> Array:
    """Return the neutrino's four-momentum, shape (events, 4), from the mass of the W boson.

    The constraint (p_lepton + p_neutrino)^2 = m_W^2 is a quadratic equation in the neutrino's pz.
    Where it has no real solution, the transverse mass exceeds m_W; the neutrino then gets the
    lepton's pseudorapidity, which makes the mass of both as small as it can be: the transverse
    mass.

    Parameters
    ----------
    lepton : ndarray of float64, shape (events, 4)
        Four-momenta in GeV.
    missing_x, missing_y : ndarray of float64, shape (events,)
        Missing transverse momentum in GeV.
    take_smaller : ndarray of bool, shape (events,)
        Whether to take the solution with the smaller \\|pz\\| of the two.
    """
    px, py, pz, energy = np.moveaxis(lepton, -1, 0)
    half = W_MASS_GEV**2 / 2 + px * missing_x + py * missing_y
    pt2 = px**2 + py**2
    missing = np.hypot(missing_x, missing_y)
    discriminant = half**2 * pz**2 - pt2 * (energy**2 * missing**2 - half**2)
    middle = half * pz / pt2
    spread = np.copysign(np.sqrt(np.maximum(discriminant, 0.0)) / pt2, middle)
    solved = np.where(take_smaller, middle - spread, middle + spread)
    neutrino_pz = np.where(discriminant >= 0, solved, missing * pz / np.sqrt(pt2))
    return np.stack([missing_x, missing_y, neutrino_pz, np.hypot(missing, neutrino_pz)], axis=-1)


def choose_jets(jets: Jets, tags: NDArray[np.int64]) -> NDArray[np.int64]:
    """Say which jets play the two b quarks and the two quarks of the W boson.

    The two tagged jets are the b quarks; of the others, the pair nearest to the W mass makes the W.

    Parameters
    ----------
    jets : Jets
        At least four in each event.
    tags : ndarray of int64, shape (events, MOST_JETS)
        0, 1 or 2; two jets of each event above 0.

    Returns
    -------
    ndarray of int64, shape (events, 4)
        Places of b, b, q, q in ``jets``.
    """
    tagged = tags > 0
    b_quarks = np.argsort(~tagged, axis=1, kind="stable")[:, :2]
    free = jets.exists & ~tagged
    pairs = np.array(list(combinations(range(tags.shape[1]), 2)))
    mass = invariant_mass(jets.momentum[:, pairs[:, 0]] + jets.momentum[:, pairs[:, 1]])
    miss = np.where(free[:, pairs[:, 0]] & free[:, pairs[:, 1]], np.abs(mass - W_MASS_GEV), np.inf)
    return np.column_stack([b_quarks, pairs[np.argmin(miss, axis=1)]])


def reconstruct_masses(
    lepton: Array, neutrino: Array, b_quarks: tuple[Array, Array], quarks: tuple[Array, Array]
) -> Array:
    """Return the seven masses in GeV, shape (events, 7), in the order of ``HIGH_LEVEL``.

    The top quark that decays to jets gets the b quark that brings m_jjj nearest to the top mass;
    the other b quark makes m_jlv. m_wbb takes that of the two W bosons that makes it larger.
    """
    w_leptonic = lepton + neutrino
    w_hadronic = quarks[0] + quarks[1]
    higgs = b_quarks[0] + b_quarks[1]
    hadronic_tops = np.stack([invariant_mass(w_hadronic + b) for b in b_quarks])
    leptonic_tops = np.stack([invariant_mass(w_leptonic + b) for b in reversed(b_quarks)])
    choice = np.argmin(np.abs(hadronic_tops - TOP_MASS_GEV), axis=0)
    events = np.arange(len(choice))
    return np.column_stack(
        [
            invariant_mass(w_hadronic),
            hadronic_tops[choice, events],
            invariant_mass(w_leptonic),
            leptonic_tops[choice, events],
            invariant_mass(higgs),
            np.maximum(invariant_mass(w_hadronic + higgs), invariant_mass(w_leptonic + higgs)),
            invariant_mass(w_leptonic + w_hadronic + higgs),
        ]
    )


def build_features(
    lepton: Array,
    missing_x: Array,
    missing_y: Array,
    jets: Jets,
    tags: NDArray[np.int64],
    rng: np.random.Generator,
) -> Array:
    """Return the 28 features, shape (events, 28), in the order of ``FEATURES``.

    Parameters
    ----------
    lepton : ndarray of float64, shape (events, 4)
        Four-momenta in GeV.
    missing_x, missing_y : ndarray of float64, shape (events,)
        Missing transverse momentum in GeV.
    jets, tags
        At least four jets in each event, two of them tagged.
    rng : numpy.random.Generator
        Draws which of two neutrino solutions is taken.
    """
    roles = choose_jets(jets, tags)
    rows = np.arange(len(roles))[:, None]
    b_quarks = jets.momentum[rows, roles[:, :2]]
    quarks = jets.momentum[rows, roles[:, 2:]]
    masses = reconstruct_masses(
        lepton,
        neutrino_momentum(lepton, missing_x, missing_y, rng.random(len(lepton)) < SMALLER_PZ_SHARE),
        (b_quarks[:, 0], b_quarks[:, 1]),
        (quarks[:, 0], quarks[:, 1]),
    )
    momentum = jets.momentum[:, :JETS]
    jet_columns = np.stack(
        [
            transverse_momentum(momentum),
            pseudorapidity(momentum),
            azimuth(momentum),
            tags[:, :JETS],
        ],
        axis=-1,
    )
    return np.column_stack(
        [
            transverse_momentum(lepton),
            pseudorapidity(lepton),
            azimuth(lepton),
            np.hypot(missing_x, missing_y),
            np.arctan2(missing_y, missing_x),
            jet_columns.reshape(len(roles), 4 * JETS),
            masses,
        ]
    )
