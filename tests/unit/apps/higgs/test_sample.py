"""The simulated sample that comes with the project: what its card says of it is true."""

from __future__ import annotations

import hashlib

import h5py
import numpy as np
import pytest

from matexapps.apps.higgs.data import SIMULATED, load_higgs
from matexapps.apps.higgs.simulation.detector import LEPTON_ETA, LEPTON_PT_GEV
from matexapps.apps.higgs.simulation.jets import JET_ETA, JET_PT_GEV
from matexapps.apps.higgs.simulation.kinematics import four_vector, invariant_mass
from matexapps.apps.higgs.simulation.reconstruction import W_MASS_GEV
from matexapps.data.catalog import catalog

ROUNDING = 1e-3


@pytest.fixture(scope="module")
def sample() -> dict[str, np.ndarray]:
    rows = load_higgs(test=0.0, validation=0.0).train
    columns = dict(zip(rows.columns, rows.features.T.astype(np.float64), strict=True))
    return {"label": rows.label, **columns}


def jets(sample: dict[str, np.ndarray], quantity: str) -> np.ndarray:
    return np.stack([sample[f"jet_{jet}_{quantity}"] for jet in (1, 2, 3, 4)], axis=1)


def test_size_checksum_and_rows_are_those_of_the_card(sample):
    entry = catalog.entry(SIMULATED)
    path = entry.folder / entry.files[0]
    assert path.stat().st_size == entry.size < 3_000_000
    assert entry.checksum == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    assert len(sample["label"]) == entry.rows >= 60_000
    assert entry.simulated
    with h5py.File(path) as file:
        assert bool(file.attrs["simulated"])
        options = file.attrs["command"].partition("--events")[2]
        assert f"matexapps higgs simulate --events{options}" in " ".join(entry.made_by.split())


def test_every_row_passes_the_selection_that_the_card_states(sample):
    assert sample["label"].mean() == pytest.approx(0.53)
    assert sample["lepton_pt"].min() > LEPTON_PT_GEV * (1 - ROUNDING)
    assert np.abs(sample["lepton_eta"]).max() < LEPTON_ETA * (1 + ROUNDING)
    pt = jets(sample, "pt")
    assert pt.min() > JET_PT_GEV * (1 - ROUNDING)
    assert (pt[:, :-1] >= pt[:, 1:] * (1 - ROUNDING)).all()
    assert np.abs(jets(sample, "eta")).max() < JET_ETA * (1 + ROUNDING)
    assert set(np.unique(jets(sample, "b_tag"))) == {0.0, 1.0, 2.0}
    assert (jets(sample, "b_tag") > 0).sum(axis=1).max() == 2
    assert sample["m_lv"].min() > W_MASS_GEV * (1 - ROUNDING)


def test_masses_follow_from_the_momenta_beside_them(sample):
    tags = jets(sample, "b_tag")
    both = np.flatnonzero((tags > 0).sum(axis=1) == 2)
    momentum = four_vector(jets(sample, "pt"), jets(sample, "eta"), jets(sample, "phi"))[both]
    pair = momentum[tags[both] > 0].reshape(-1, 2, 4)
    m_bb = invariant_mass(pair.sum(axis=1))
    # Rounded momenta and angles matter most where the two jets are close.
    np.testing.assert_allclose(m_bb, sample["m_bb"][both], rtol=0.02, atol=0.1)
    assert np.median(np.abs(m_bb / sample["m_bb"][both] - 1)) < 1e-3


def test_signal_peaks_where_its_particles_are(sample):
    signal = sample["label"] == 1
    for column, mass in (("m_bb", 125), ("m_wbb", 325), ("m_wwbb", 425), ("m_jj", 80.4)):
        counts, edges = np.histogram(sample[column][signal], np.arange(20, 700, 10))
        peak = edges[np.argmax(counts)] + 5
        # Neutrinos and particles outside of jets carry some of the energy away.
        assert 0.82 * mass < peak < 1.05 * mass, column


def test_no_row_is_there_twice(sample):
    table = np.stack([sample[name] for name in ("lepton_pt", "lepton_phi", "jet_1_pt", "m_wwbb")])
    assert len(np.unique(table, axis=1).T) == table.shape[1]
