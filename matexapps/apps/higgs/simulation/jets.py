"""Jets from FastJet, and their b-tags."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matexapps.apps.higgs.simulation.detector import Measured
from matexapps.apps.higgs.simulation.events import Particles
from matexapps.apps.higgs.simulation.extra import import_extra
from matexapps.apps.higgs.simulation.kinematics import (
    angular_distance,
    azimuth,
    four_vector,
    pseudorapidity,
    transverse_momentum,
)

JET_RADIUS = 0.5
JET_PT_GEV = 15.0
JET_ETA = 3.0
MOST_JETS = 12
"""Jets of an event that are looked at, from the highest pT down."""

CONSTITUENT_PT_GEV = 0.1
HEAVY_HADRON_PT_GEV = 5.0

TAG_EFFICIENCIES = {"b": 0.85, "c": 0.25, "light": 0.01}
"""Probability that a jet of each flavor is tagged, at its plateau in pT and eta."""
TIGHT_SHARE = 0.815
"""Share of the tagged jets that also pass the tight tag, as in the UCI data."""
TAG_ETA_PLATEAU, TAG_ETA_END = 1.2, 1.75
"""Tags need tracks: the efficiency falls from the plateau to zero between these \\|eta\\|."""
TAG_PT_HALF_GEV = 20.0
"""pT over which the efficiency rises, as 1 - exp(-(pT / this))."""


@dataclass(frozen=True)
class Jets:
    """The leading jets of events, by falling pT.

    Attributes
    ----------
    momentum : ndarray of float64, shape (events, MOST_JETS, 4)
        Massless four-momenta in GeV; 0 where an event has fewer jets.
    exists : ndarray of bool, shape (events, MOST_JETS)
        Where there is a jet.
    """

    momentum: NDArray[np.float64]
    exists: NDArray[np.bool_]


def cluster_jets(measured: Measured, leptons: NDArray[np.int64]) -> Jets:
    """Cluster everything but the lepton of each accepted event into anti-kt jets.

    Parameters
    ----------
    measured : Measured
        Particles of all events.
    leptons : ndarray of int64, shape (accepted events,)
        Index of each accepted event's lepton; other events are left out.
    """
    ak, fastjet = import_extra("awkward"), import_extra("fastjet")
    row = np.full(measured.events, -1)
    row[measured.event[leptons]] = np.arange(len(leptons))
    used = (row[measured.event] >= 0) & (measured.pt > CONSTITUENT_PT_GEV)
    used[leptons] = False
    momentum = four_vector(measured.pt[used], measured.eta[used], measured.phi[used])
    constituents = ak.unflatten(
        ak.zip(dict(zip(("px", "py", "pz", "E"), momentum.T, strict=True)), with_name="Momentum4D"),
        np.bincount(row[measured.event[used]], minlength=len(leptons)),
    )
    definition = fastjet.JetDefinition(fastjet.antikt_algorithm, JET_RADIUS)
    clustered = fastjet.ClusterSequence(constituents, definition).inclusive_jets(min_pt=JET_PT_GEV)
    jet_momentum = np.stack(
        [ak.to_numpy(ak.flatten(clustered[name])) for name in ("px", "py", "pz", "E")], axis=-1
    )
    event = np.repeat(np.arange(len(leptons)), ak.to_numpy(ak.num(clustered)))
    eta = pseudorapidity(jet_momentum)
    central = np.abs(eta) < JET_ETA
    massless = four_vector(transverse_momentum(jet_momentum), eta, azimuth(jet_momentum))
    return _leading(massless[central], event[central], len(leptons))


def _leading(momentum: NDArray[np.float64], row: NDArray[np.int64], rows: int) -> Jets:
    """Arrange jets by event and falling pT, and keep the first of each event."""
    order = np.lexsort((-transverse_momentum(momentum), row))
    momentum, row = momentum[order], row[order]
    rank_in_event = np.arange(len(row)) - np.searchsorted(row, row, side="left")
    leading = rank_in_event < MOST_JETS
    arranged = np.zeros((rows, MOST_JETS, 4))
    arranged[row[leading], rank_in_event[leading]] = momentum[leading]
    exists = np.zeros((rows, MOST_JETS), dtype=bool)
    exists[row[leading], rank_in_event[leading]] = True
    return Jets(arranged, exists)


def tag_jets(
    jets: Jets,
    particles: Particles,
    accepted: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Return the b-tag, 0, 1 (loose) or 2 (tight), of each jet, shape (events, MOST_JETS).

    A jet's flavor is that of the heaviest-flavored hadron inside its radius; the tag is drawn
    with the efficiency of that flavor.

    Parameters
    ----------
    accepted : ndarray of int64, shape (events of ``jets``,)
        Which event of ``particles`` each row of ``jets`` is.
    """
    row = np.full(particles.events, -1)
    row[accepted] = np.arange(len(accepted))
    bottom = _near_hadron(jets, particles, row, quark=5)
    charm = _near_hadron(jets, particles, row, quark=4)
    flavor = np.where(bottom, 0, np.where(charm, 1, 2))
    plateau = np.array(list(TAG_EFFICIENCIES.values()))[flavor]
    draw = rng.random(jets.exists.shape)
    loose = plateau * _tag_acceptance(jets.momentum)
    tag = (draw < loose).astype(np.int64) + (draw < TIGHT_SHARE * loose)
    return np.where(jets.exists, tag, 0)


def _tag_acceptance(momentum: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the efficiency of a b-tag relative to its plateau, by eta and pT of the jet."""
    beyond = np.abs(pseudorapidity(momentum)) - TAG_ETA_PLATEAU
    central = np.clip(1 - beyond / (TAG_ETA_END - TAG_ETA_PLATEAU), 0, 1)
    hard: NDArray[np.float64] = -np.expm1(-transverse_momentum(momentum) / TAG_PT_HALF_GEV)
    return central * hard


def _near_hadron(
    jets: Jets, particles: Particles, row: NDArray[np.int64], quark: int
) -> NDArray[np.bool_]:
    """Return which jets have a hadron with the given heaviest quark inside their radius."""
    kind = np.abs(particles.pdg_id)
    meson = (kind > 100) & (kind < 10000) & ((kind // 100) % 10 == quark)
    baryon = (kind > 1000) & (kind < 10000) & ((kind // 1000) % 10 == quark)
    hadron = np.flatnonzero((meson | baryon) & (row[particles.event] >= 0))
    momentum = np.stack([particles.px[hadron], particles.py[hadron], particles.pz[hadron]], axis=-1)
    hard = transverse_momentum(momentum) > HEAVY_HADRON_PT_GEV
    momentum, target = momentum[hard], row[particles.event[hadron[hard]]]
    distance = angular_distance(
        pseudorapidity(jets.momentum)[target],
        azimuth(jets.momentum)[target],
        pseudorapidity(momentum)[:, None],
        azimuth(momentum)[:, None],
    )
    near = np.zeros(jets.exists.shape, dtype=bool)
    hit, jet = np.nonzero(distance < JET_RADIUS)
    near[target[hit], jet] = True
    return near & jets.exists
