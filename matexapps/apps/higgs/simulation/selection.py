"""The events that pass: one isolated lepton, at least four jets, exactly two b-tags."""

from __future__ import annotations

import numpy as np

from matexapps.apps.higgs.schema import FEATURES, JETS
from matexapps.apps.higgs.simulation.detector import find_single_leptons, measure
from matexapps.apps.higgs.simulation.events import Particles
from matexapps.apps.higgs.simulation.jets import Jets, cluster_jets, tag_jets
from matexapps.apps.higgs.simulation.kinematics import Array, four_vector
from matexapps.apps.higgs.simulation.reconstruction import build_features

TAGGED_JETS = 2


def observe(particles: Particles, rng: np.random.Generator) -> Array:
    """Put events through the detector and return the features of those that pass.

    An event passes with exactly one isolated electron or muon (pT > 15 GeV, \\|eta\\| < 2.5), at
    least four jets (anti-kt, R = 0.5, pT > 15 GeV, \\|eta\\| < 3), two of them, not necessarily
    among the leading four, with a b-tag.

    Returns
    -------
    ndarray of float64, shape (accepted events, 28)
        In the order of ``matexapps.apps.higgs.schema.FEATURES``.
    """
    measured = measure(particles, rng)
    leptons = find_single_leptons(measured)
    if len(leptons) == 0:
        return np.empty((0, len(FEATURES)))
    jets = cluster_jets(measured, leptons)
    accepted = measured.event[leptons]
    tags = tag_jets(jets, particles, accepted, rng)
    passed = (jets.exists.sum(axis=1) >= JETS) & ((tags > 0).sum(axis=1) == TAGGED_JETS)
    missing_x, missing_y = measured.missing_momentum(rng)
    events = accepted[passed]
    leptons = leptons[passed]
    return build_features(
        four_vector(measured.pt[leptons], measured.eta[leptons], measured.phi[leptons]),
        missing_x[events],
        missing_y[events],
        Jets(jets.momentum[passed], jets.exists[passed]),
        tags[passed],
        rng,
    )
