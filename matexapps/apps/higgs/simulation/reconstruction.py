"""From a lepton, missing momentum and jets to the features of the benchmark."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

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
CHARGED_HIGGS_MASS_GEV = 325.0


def neutrino_momentum(lepton: Array, missing_x: Array, missing_y: Array) -> Array:
    """Return the neutrino's four-momentum, shape (events, 4), from the mass of the W boson.

    The constraint (p_lepton + p_neutrino)^2 = m_W^2 is a quadratic equation in the neutrino's pz.
    Of two solutions the one with the smaller \\|pz\\| is taken; where there is none, the real part,
    and the W candidate then weighs more than m_W.

    Parameters
    ----------
    lepton : ndarray of float64, shape (events, 4)
        Four-momenta in GeV.
    missing_x, missing_y : ndarray of float64, shape (events,)
        Missing transverse momentum in GeV.
    """
    px, py, pz, energy = np.moveaxis(lepton, -1, 0)
    half = W_MASS_GEV**2 / 2 + px * missing_x + py * missing_y
    pt2 = px**2 + py**2
    missing2 = missing_x**2 + missing_y**2
    discriminant = half**2 * pz**2 - pt2 * (energy**2 * missing2 - half**2)
    middle = half * pz / pt2
    spread = np.sqrt(np.maximum(discriminant, 0.0)) / pt2
    # The solution nearer to zero lies on the side of the middle's opposite sign.
    neutrino_pz = middle - np.copysign(spread, middle)
    return np.stack(
        [missing_x, missing_y, neutrino_pz, np.sqrt(missing2 + neutrino_pz**2)], axis=-1
    )


def choose_jets(jets: Jets, tags: NDArray[np.int64]) -> NDArray[np.int64]:
    """Say which jets play the two b quarks and the two quarks of the W boson.

    The jet with the best tag (of equal tags, the highest pT) is the first b. With a second tag,
    that jet is the second b and the pair nearest to the W mass among the others makes the W;
    without one, the pair is chosen first and the leading jet left over becomes the second b.

    Parameters
    ----------
    jets : Jets
        At least four in each event.
    tags : ndarray of int64, shape (events, LEADING_JETS)
        0, 1 or 2.

    Returns
    -------
    ndarray of int64, shape (events, 4)
        Places of b, b, q, q in ``jets``.
    """
    rows = np.arange(len(tags))
    ranking = np.argsort(np.where(jets.exists, -tags, 1), axis=1, kind="stable")
    first, second = ranking[:, 0], ranking[:, 1]
    two_tags = (tags > 0).sum(axis=1) >= 2
    free = jets.exists.copy()
    free[rows, first] = False
    free[rows[two_tags], second[two_tags]] = False
    pairs = np.array(list(combinations(range(tags.shape[1]), 2)))
    mass = invariant_mass(jets.momentum[:, pairs[:, 0]] + jets.momentum[:, pairs[:, 1]])
    miss = np.where(free[:, pairs[:, 0]] & free[:, pairs[:, 1]], np.abs(mass - W_MASS_GEV), np.inf)
    quarks = pairs[np.argmin(miss, axis=1)]
    free[rows[:, None], quarks] = False
    second = np.where(two_tags, second, np.argmax(free, axis=1))
    return np.column_stack([first, second, quarks])


def reconstruct_masses(
    lepton: Array, neutrino: Array, b_quarks: tuple[Array, Array], quarks: tuple[Array, Array]
) -> Array:
    """Return the seven masses in GeV, shape (events, 7), in the order of ``HIGH_LEVEL``.

    Each b quark is given to one of the W bosons, in the way that brings both top-quark candidates
    nearest to the top mass: that makes m_jjj and m_jlv. For m_wbb the W boson is the one that
    brings the mass nearest to that of the charged Higgs boson.
    """
    w_leptonic = lepton + neutrino
    w_hadronic = quarks[0] + quarks[1]
    higgs = b_quarks[0] + b_quarks[1]
    hadronic_tops = [invariant_mass(w_hadronic + b) for b in b_quarks]
    leptonic_tops = [invariant_mass(w_leptonic + b) for b in reversed(b_quarks)]
    m_jjj, m_jlv = _nearest(list(zip(hadronic_tops, leptonic_tops, strict=True)), TOP_MASS_GEV)
    (m_wbb,) = _nearest(
        [(invariant_mass(w + higgs),) for w in (w_hadronic, w_leptonic)], CHARGED_HIGGS_MASS_GEV
    )
    return np.column_stack(
        [
            invariant_mass(w_hadronic),
            m_jjj,
            invariant_mass(w_leptonic),
            m_jlv,
            invariant_mass(higgs),
            m_wbb,
            invariant_mass(w_leptonic + w_hadronic + higgs),
        ]
    )


def _nearest(choices: list[tuple[Array, ...]], mass: float) -> tuple[Array, ...]:
    """Take, event by event, that of two choices whose masses lie nearest to ``mass``."""
    miss = [sum(np.abs(value - mass) for value in choice) for choice in choices]
    take_second = miss[1] < miss[0]
    return tuple(
        np.where(take_second, second, first) for first, second in zip(*choices, strict=True)
    )


def build_features(
    lepton: Array,
    missing_x: Array,
    missing_y: Array,
    jets: Jets,
    tags: NDArray[np.int64],
) -> Array:
    """Return the 28 features, shape (events, 28), in the order of ``FEATURES``.

    Parameters
    ----------
    lepton : ndarray of float64, shape (events, 4)
        Four-momenta in GeV.
    missing_x, missing_y : ndarray of float64, shape (events,)
        Missing transverse momentum in GeV.
    jets, tags
        At least four jets in each event.
    """
    roles = choose_jets(jets, tags)
    rows = np.arange(len(roles))[:, None]
    b_quarks = jets.momentum[rows, roles[:, :2]]
    quarks = jets.momentum[rows, roles[:, 2:]]
    masses = reconstruct_masses(
        lepton,
        neutrino_momentum(lepton, missing_x, missing_y),
        (b_quarks[:, 0], b_quarks[:, 1]),
        (quarks[:, 0], quarks[:, 1]),
    )
    shown = np.sort(roles, axis=1)
    momentum = jets.momentum[rows, shown]
    jet_columns = np.stack(
        [
            transverse_momentum(momentum),
            pseudorapidity(momentum),
            azimuth(momentum),
            tags[rows, shown],
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
            jet_columns.reshape(len(roles), -1),
            masses,
        ]
    )
