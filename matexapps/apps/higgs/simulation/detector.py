"""What a detector sees of an event: smeared particles, one isolated lepton, missing momentum.

The response is parametrised, particle by particle, in the way of fast simulations such as Delphes
(J. de Favereau et al., JHEP 02 (2014) 057): charged hadrons come from the tracker, photons and
electrons from the electromagnetic calorimeter, other hadrons from the hadronic one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matexapps.apps.higgs.simulation.events import Particles
from matexapps.apps.higgs.simulation.kinematics import angular_distance

_NEUTRINOS = (12, 14, 16)
_CHARGED_HADRONS = (211, 321, 2212)
_ELECTRON, _MUON, _PHOTON = 11, 13, 22

CALORIMETER_ETA = 4.9
TRACKER_ETA = 2.5
TRACKER_PT_GEV = 0.5
TRACKER_EFFICIENCY = 0.95
TRACKER_RESOLUTION = 0.015
CALORIMETER_THRESHOLD_GEV = 0.5
LEPTON_PT_GEV = 20.0
LEPTON_ETA = 2.5
ISOLATION_RADIUS = 0.4
ISOLATION_LIMIT = 0.15
"""Largest summed pT of the neighbours, as a fraction of the lepton's own pT."""


@dataclass(frozen=True)
class Measured:
    """Visible particles of many events after the detector, one entry each, ordered by event.

    Attributes
    ----------
    events : int
        Number of events.
    event, pdg_id : ndarray of int64, shape (particles,)
        The event and the Particle Data Group number of each particle.
    pt, eta, phi : ndarray of float64, shape (particles,)
        Transverse momentum in GeV, pseudorapidity, azimuth in rad.
    """

    events: int
    event: NDArray[np.int64]
    pdg_id: NDArray[np.int64]
    pt: NDArray[np.float64]
    eta: NDArray[np.float64]
    phi: NDArray[np.float64]

    def missing_momentum(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the x and y components, in GeV, that balance each event's visible particles."""
        x = -self.pt * np.cos(self.phi)
        y = -self.pt * np.sin(self.phi)
        return (
            np.bincount(self.event, x, self.events).astype(np.float64),
            np.bincount(self.event, y, self.events).astype(np.float64),
        )


def measure(particles: Particles, rng: np.random.Generator) -> Measured:
    """Return the visible particles with their measured momenta; directions are exact."""
    pt = np.hypot(particles.px, particles.py)
    eta = np.arcsinh(particles.pz / np.maximum(pt, 1e-9))
    kind = np.abs(particles.pdg_id)
    seen = particles.final & ~np.isin(kind, _NEUTRINOS) & (np.abs(eta) < CALORIMETER_ETA)
    pt, eta, kind = pt[seen], eta[seen], kind[seen]
    energy = particles.energy[seen]

    forward = np.abs(eta) > 3
    resolution = np.hypot(
        np.where(forward, 1.5, 0.8) * np.sqrt(energy), np.where(forward, 0.1, 0.05) * energy
    )
    electromagnetic = (kind == _ELECTRON) | (kind == _PHOTON)
    resolution = np.where(
        electromagnetic, np.hypot(0.1 * np.sqrt(energy), 0.007 * energy), resolution
    )
    tracked = (
        np.isin(kind, _CHARGED_HADRONS)
        & (np.abs(eta) < TRACKER_ETA)
        & (pt > TRACKER_PT_GEV)
        & (rng.random(len(energy)) < TRACKER_EFFICIENCY)
    )
    muon = kind == _MUON
    resolution = np.where(tracked | muon, TRACKER_RESOLUTION * energy, resolution)

    measured = np.maximum(energy + resolution * rng.standard_normal(len(energy)), 0.0)
    measured[~muon & (energy < CALORIMETER_THRESHOLD_GEV)] = 0.0
    return Measured(
        events=particles.events,
        event=particles.event[seen],
        pdg_id=particles.pdg_id[seen],
        pt=pt * measured / np.maximum(energy, 1e-9),
        eta=eta,
        phi=np.arctan2(particles.py[seen], particles.px[seen]),
    )


def find_single_leptons(measured: Measured) -> NDArray[np.int64]:
    """Return the index of the lepton of each event that has exactly one isolated e or mu.

    Returns
    -------
    ndarray of int64, shape (accepted events,)
        Indices into the particles, ordered by event.
    """
    kind = np.abs(measured.pdg_id)
    candidates = np.flatnonzero(
        ((kind == _ELECTRON) | (kind == _MUON))
        & (measured.pt > LEPTON_PT_GEV)
        & (np.abs(measured.eta) < LEPTON_ETA)
    )
    isolated = candidates[_isolation(measured, candidates) < ISOLATION_LIMIT]
    per_event = np.bincount(measured.event[isolated], minlength=measured.events)
    single: NDArray[np.int64] = isolated[per_event[measured.event[isolated]] == 1]
    return single


def _isolation(measured: Measured, candidates: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the summed pT around each candidate, as a fraction of the candidate's own."""
    first = np.searchsorted(measured.event, measured.event[candidates], side="left")
    last = np.searchsorted(measured.event, measured.event[candidates], side="right")
    relative = np.empty(len(candidates))
    for number, (candidate, start, stop) in enumerate(zip(candidates, first, last, strict=True)):
        near = (
            angular_distance(
                measured.eta[start:stop],
                measured.phi[start:stop],
                measured.eta[candidate],
                measured.phi[candidate],
            )
            < ISOLATION_RADIUS
        )
        own = measured.pt[candidate]
        relative[number] = (measured.pt[start:stop][near].sum() - own) / own
    return relative
