"""What a detector sees of an event: smeared particles, one isolated lepton, missing momentum.

The response is parametrized, particle by particle: photons and electrons are measured by an
electromagnetic calorimeter, hadrons by a hadronic one, muons by a spectrometer. The thresholds are
those that the UCI data show: its smallest lepton and jet momenta lie at 15 GeV once its masses are
brought to GeV.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matexapps.apps.higgs.simulation.events import Particles
from matexapps.apps.higgs.simulation.kinematics import angular_distance

_NEUTRINOS = (12, 14, 16)
_ELECTRON, _MUON, _PHOTON = 11, 13, 22

CALORIMETER_ETA = 4.9
CALORIMETER_THRESHOLD_GEV = 0.5
ELECTROMAGNETIC_RESOLUTION = (0.2, 0.01)
HADRONIC_RESOLUTION = (1.0, 0.05)
"""Standard deviation of E: the first times sqrt(E), and the second times E, added in quadrature."""
MUON_RESOLUTION = 0.015
MISSING_NOISE_GEV = 15.0
"""Standard deviation of either component of the missing momentum from what is not simulated:
additional collisions and deposits below threshold."""
LEPTON_PT_GEV = 15.0
LEPTON_ETA = 2.5
ISOLATION_RADIUS = 0.4
ISOLATION_LIMIT = 0.15
"""Largest summed pT of the neighbors, as a fraction of the lepton's own pT."""


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

    def missing_momentum(
        self, rng: np.random.Generator
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return x and y, in GeV, of what balances each event's visible particles, with noise."""
        noise = MISSING_NOISE_GEV * rng.standard_normal((2, self.events))
        x = -self.pt * np.cos(self.phi)
        y = -self.pt * np.sin(self.phi)
        return (
            np.bincount(self.event, x, self.events) + noise[0],
            np.bincount(self.event, y, self.events) + noise[1],
        )


def measure(particles: Particles, rng: np.random.Generator) -> Measured:
    """Return the visible particles with their measured momenta; directions are exact."""
    pt = np.hypot(particles.px, particles.py)
    eta = np.arcsinh(particles.pz / np.maximum(pt, 1e-9))
    kind = np.abs(particles.pdg_id)
    seen = particles.final & ~np.isin(kind, _NEUTRINOS) & (np.abs(eta) < CALORIMETER_ETA)
    pt, eta, kind = pt[seen], eta[seen], kind[seen]
    energy = particles.energy[seen]

    electromagnetic = (kind == _ELECTRON) | (kind == _PHOTON)
    muon = kind == _MUON
    resolution = np.where(
        electromagnetic,
        _resolution(energy, ELECTROMAGNETIC_RESOLUTION),
        _resolution(energy, HADRONIC_RESOLUTION),
    )
    resolution = np.where(muon, MUON_RESOLUTION * energy, resolution)
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


def _resolution(energy: NDArray[np.float64], terms: tuple[float, float]) -> NDArray[np.float64]:
    stochastic, constant = terms
    return np.hypot(stochastic * np.sqrt(energy), constant * energy)


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
