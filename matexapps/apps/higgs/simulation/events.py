"""Collisions from PYTHIA 8, down to stable particles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from matexapps.apps.higgs.simulation.extra import import_extra
from matexapps.errors import DataError

Process = Literal["signal", "background"]

BEAM_ENERGY_GEV = 8000.0
"""Energy of the two proton beams in their center of mass."""

LARGEST_SEED = 900_000_000
"""The largest seed that PYTHIA takes."""

_PROCESS_SETTINGS: dict[Process, tuple[str, ...]] = {
    "signal": (
        "Higgs:useBSM = on",
        "HiggsBSM:gg2H2 = on",
        # The coupling of H0 to W and H+- is 0 by default, and the decay would be forbidden.
        "HiggsH2:coup2HchgW = 1",
        "35:m0 = 425",
        "35:mWidth = 4",
        "35:doForceWidth = on",
        "35:mMin = 408",  # keeps H0 above the threshold of W and H+-
        "37:m0 = 325",
        "37:mWidth = 4",
        "37:doForceWidth = on",
        "25:m0 = 125",
        "36:m0 = 1000",  # out of reach
        "35:onMode = off",
        "35:onIfMatch = 24 37",
        "37:onMode = off",
        "37:onIfMatch = 24 25",
        "25:onMode = off",
        "25:onIfAny = 5",
    ),
    "background": (
        "Top:gg2ttbar = on",
        "Top:qqbar2ttbar = on",
        "6:m0 = 172.5",
    ),
}

_LEPTONIC = "11 13"
_HADRONIC = "1 2 3 4"


@dataclass(frozen=True)
class Particles:
    """Particles of many events, one entry each, ordered by event.

    Attributes
    ----------
    events : int
        Number of events.
    event : ndarray of int64, shape (particles,)
        The event that a particle belongs to.
    pdg_id : ndarray of int64, shape (particles,)
        Particle Data Group number.
    final : ndarray of bool, shape (particles,)
        False for those that decayed or were rewritten on the way.
    px, py, pz, energy : ndarray of float64, shape (particles,)
        Four-momentum in GeV.
    """

    events: int
    event: NDArray[np.int64]
    pdg_id: NDArray[np.int64]
    final: NDArray[np.bool_]
    px: NDArray[np.float64]
    py: NDArray[np.float64]
    pz: NDArray[np.float64]
    energy: NDArray[np.float64]


class EventGenerator:
    """PYTHIA 8 set up for one process and one charge of the lepton.

    Parameters
    ----------
    process : {"signal", "background"}
        What the protons make.
    lepton_charge : {1, -1}
        Which of the two W bosons decays to an electron or a muon; the other one decays to quarks.
    """

    def __init__(self, process: Process, lepton_charge: int) -> None:
        pythia8mc = import_extra("pythia8mc")
        leptonic, hadronic = ("Pos", "Neg") if lepton_charge > 0 else ("Neg", "Pos")
        self._pythia: Any = pythia8mc.Pythia("", False)
        for line in (
            "Print:quiet = on",
            f"Beams:eCM = {BEAM_ENERGY_GEV}",
            # Further parton collisions in the same event cost three quarters of the time and
            # change the features by less than the match with the UCI data can tell.
            "PartonLevel:MPI = off",
            "Random:setSeed = on",
            "Random:seed = 1",  # initialization must not depend on the clock
            *_PROCESS_SETTINGS[process],
            "24:onMode = off",
            f"24:on{leptonic}IfAny = {_LEPTONIC}",
            f"24:on{hadronic}IfAny = {_HADRONIC}",
        ):
            if not self._pythia.readString(line):
                raise DataError(f"PYTHIA does not know the setting {line!r}; use pythia8mc 8.312+")
        if not self._pythia.init():
            raise DataError(f"PYTHIA could not be initialized for the process {process!r}")

    def reseed(self, seed: int) -> None:
        """Start the sequence of events that ``seed``, from 1 to ``LARGEST_SEED``, stands for."""
        self._pythia.rndm.init(seed)

    def generate(self, count: int) -> Particles:
        """Return the next ``count`` events, less those few that PYTHIA gave up on."""
        ak = import_extra("awkward")
        particles = self._pythia.nextBatch(count).prt
        counts = ak.to_numpy(ak.num(particles))

        def flat(column: Any) -> NDArray[Any]:
            return np.asarray(ak.to_numpy(ak.flatten(column)))

        return Particles(
            events=len(counts),
            event=np.repeat(np.arange(len(counts)), counts),
            pdg_id=flat(particles.id).astype(np.int64),
            final=flat(particles.status) > 0,
            px=flat(particles.p.px),
            py=flat(particles.p.py),
            pz=flat(particles.p.pz),
            energy=flat(particles.p.e),
        )
