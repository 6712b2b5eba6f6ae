"""Detector, jets, blocks and the file, on particles made by hand: no generator needed."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from matexapps.apps.higgs.schema import COLUMNS, FEATURES, unit
from matexapps.apps.higgs.simulation import extra
from matexapps.apps.higgs.simulation.blocks import BLOCK_EVENTS
from matexapps.apps.higgs.simulation.campaign import Sample, plan_blocks
from matexapps.apps.higgs.simulation.detector import Measured, find_single_leptons, measure
from matexapps.apps.higgs.simulation.events import Particles
from matexapps.apps.higgs.simulation.file import MANTISSA_BITS, round_mantissa, write_sample
from matexapps.apps.higgs.simulation.jets import Jets, tag_jets
from matexapps.apps.higgs.simulation.kinematics import four_vector
from matexapps.apps.higgs.simulation.reconstruction import build_features
from matexapps.apps.higgs.simulation.run import run
from matexapps.apps.higgs.simulation.settings import SimulationSettings
from matexapps.comm.single import SingleProcess
from matexapps.data.dataset import DataSet
from matexapps.errors import DataError, MatexError, MissingExtraError
from matexapps.experiment.ranks import Ranks


def particles(rows: list[tuple[int, int, float, float, float]], events: int) -> Particles:
    """Stable particles from (event, PDG number, pT, eta, phi)."""
    event, kind, pt, eta, phi = (np.array(column) for column in zip(*rows, strict=True))
    momentum = four_vector(pt, eta, phi)
    return Particles(events, event, kind, np.ones(len(rows), dtype=bool), *momentum.T)


def test_neutrinos_are_missed_and_what_is_seen_is_smeared_without_bias():
    many = particles(
        [(0, 12, 50.0, 0.0, 0.0), *((0, 211, 50.0, 0.2, 1.0) for _ in range(4000))], events=1
    )
    seen = measure(many, np.random.default_rng(0))
    assert 12 not in seen.pdg_id
    assert len(seen.pt) == 4000
    energy = 50.0 * np.cosh(0.2)
    expected = 50.0 * np.hypot(1.0 / np.sqrt(energy), 0.05)
    assert seen.pt.mean() == pytest.approx(50.0, abs=4 * expected / np.sqrt(4000))
    assert seen.pt.std() == pytest.approx(expected, rel=0.06)


def test_only_a_single_isolated_lepton_in_the_acceptance_counts():
    rows = [
        (0, 13, 40.0, 0.0, 0.0),  # isolated: accepted
        (0, 211, 30.0, 0.0, 2.0),
        (1, 13, 40.0, 0.0, 0.0),  # a hadron beside it
        (1, 211, 30.0, 0.1, 0.1),
        (2, 13, 40.0, 0.0, 0.0),  # two of them
        (2, -11, 35.0, 1.0, 2.0),
        (3, 11, 14.0, 0.0, 0.0),  # too soft
        (4, 11, 40.0, 2.6, 0.0),  # too far forward
    ]
    event, kind, pt, eta, phi = (np.array(column) for column in zip(*rows, strict=True))
    events = find_single_leptons(Measured(5, event, kind, pt, eta, phi))
    assert events.tolist() == [0]


def test_missing_momentum_balances_what_is_seen(monkeypatch):
    monkeypatch.setattr("matexapps.apps.higgs.simulation.detector.MISSING_NOISE_GEV", 0.0)
    event, kind = np.array([0, 0, 2]), np.array([211, 22, 22])
    pt, eta, phi = np.array([30.0, 40.0, 7.0]), np.zeros(3), np.array([0.0, np.pi / 2, 0.0])
    x, y = Measured(3, event, kind, pt, eta, phi).missing_momentum(np.random.default_rng(0))
    np.testing.assert_allclose(x, [-30.0, 0.0, -7.0], atol=1e-9)
    np.testing.assert_allclose(y, [-40.0, 0.0, 0.0], atol=1e-9)


def test_tags_follow_the_hadron_inside_the_jet_and_end_with_the_tracker():
    events = 4000
    momentum = np.zeros((events, 12, 4))
    momentum[:, 0] = four_vector(80.0, 0.0, 0.0)  # with a b hadron
    momentum[:, 1] = four_vector(80.0, 0.5, 2.0)  # light
    momentum[:, 2] = four_vector(80.0, 2.0, -2.0)  # with a b hadron, beyond the tracker
    rows = [
        row for i in range(events) for row in ((i, 511, 60.0, 0.1, 0.1), (i, 5122, 60.0, 2.0, -2.0))
    ]
    tags = tag_jets(
        Jets(momentum, np.arange(12)[None] < np.full((events, 1), 3)),
        particles(rows, events),
        np.arange(events),
        np.random.default_rng(0),
    )
    share = (tags > 0).mean(axis=0)
    assert share[0] == pytest.approx(0.85 * (1 - np.exp(-4)), abs=0.03)
    assert share[1] == pytest.approx(0.01, abs=0.008)
    assert share[2:].max() == 0.0
    assert (tags[:, 0] == 2).sum() / (tags[:, 0] > 0).sum() == pytest.approx(0.815, abs=0.03)


def test_blocks_hold_both_classes_and_both_charges_and_add_up():
    blocks = plan_blocks(SimulationSettings(events=2003, out="a.h5", signal_fraction=0.53))
    assert sum(block.events for block in blocks) == 2003
    assert sum(block.events for block in blocks if block.process == "signal") == 1062
    for process in ("signal", "background"):
        of_charge = [
            sum(b.events for b in blocks if (b.process, b.lepton_charge) == (process, charge))
            for charge in (1, -1)
        ]
        assert 0 <= of_charge[0] - of_charge[1] <= 1
    assert max(block.events for block in blocks) <= BLOCK_EVENTS
    assert len(set(blocks)) == len(blocks)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"events": 0}, "events must be at least 1, got 0"),
        ({"events": 5, "seed": -1}, "seed must not be negative, got -1"),
        ({"events": 5, "signal_fraction": 1.5}, "got 1.5"),
    ],
)
def test_settings_that_make_no_sample_are_refused(settings, word):
    with pytest.raises(DataError, match=word):
        SimulationSettings(**settings, out="a.h5")


def test_rounding_keeps_the_stated_precision_and_zero():
    values = np.random.default_rng(0).lognormal(3, 2, 1000).astype(np.float32)
    rounded = round_mantissa(values)
    assert np.abs(rounded / values - 1).max() <= 2.0 ** -(MANTISSA_BITS + 1)
    assert (rounded.view(np.uint32) & ((1 << (23 - MANTISSA_BITS)) - 1) == 0).all()
    assert round_mantissa(np.float32([0.0, 1.0, -2.0])).tolist() == [0.0, 1.0, -2.0]


def test_a_written_sample_is_read_by_name_of_column_and_says_it_is_simulated(tmp_path):
    rng = np.random.default_rng(0)
    sample = Sample(
        rng.normal(size=(50, 28)).astype(np.float32),
        np.arange(50, dtype=np.int8) % 2,
        {"signal": 120, "background": 130},
    )
    path = tmp_path / "sample.h5"
    write_sample(path, SimulationSettings(events=50, out=str(path), seed=4), sample)
    data = DataSet(path, validation=0.0, test=0.0).load()
    assert data.columns == list(FEATURES)
    np.testing.assert_array_equal(data.train.label, sample.label)
    np.testing.assert_allclose(data.train.features, sample.features, rtol=5e-4)
    with h5py.File(path) as file:
        assert bool(file.attrs["simulated"])
        assert file.attrs["seed"] == 4
        assert "PYTHIA" in file.attrs["generator"]
        assert list(file["data"].attrs["columns"]) == list(COLUMNS)
        assert list(file["data"].attrs["units"]) == [unit(column) for column in COLUMNS]
    assert [entry.name for entry in tmp_path.iterdir()] == ["sample.h5"]


def test_units_of_the_schema():
    assert unit("jet_2_pt") == unit("m_wwbb") == unit("missing_energy_magnitude") == "GeV"
    assert unit("lepton_phi") == "rad"
    assert unit("jet_1_b_tag") == unit("jet_1_eta") == unit("label") == ""


def test_a_missing_extra_says_what_to_install(monkeypatch):
    def refuse(name: str) -> None:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(extra.importlib, "import_module", refuse)
    with pytest.raises(MissingExtraError, match=r"pythia8mc.*pip install 'matexapps\[higgs-sim\]'"):
        extra.import_extra("pythia8mc")


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"event": 5, "out": "a.h5"}, "did you mean 'events'"),
        ({"events": 5}, "'out' is missing"),
        ({"events": 5, "out": "a.csv"}, "name it with .h5 at its end"),
    ],
)
def test_a_campaign_that_cannot_be_written_fails_before_it_begins(settings, word):
    if "out" in settings:
        pytest.importorskip("pythia8mc", reason="needs the extra higgs-sim")
    with pytest.raises(MatexError, match=word):
        run(settings, Ranks(SingleProcess()))


def test_no_event_passing_is_no_error():
    empty = Jets(np.zeros((0, 12, 4)), np.zeros((0, 12), dtype=bool))
    nothing = np.zeros(0)
    features = build_features(
        np.zeros((0, 4)),
        nothing,
        nothing,
        empty,
        np.zeros((0, 12), dtype=np.int64),
        np.random.default_rng(0),
    )
    assert features.shape == (0, len(FEATURES))
