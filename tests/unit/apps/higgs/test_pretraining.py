"""A pre-trained network on rows in other units."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from matexapps import DataSet, Trainer
from matexapps.apps.higgs.model import build_network
from matexapps.apps.higgs.pretraining import LEARNING_RATES, adapt_units, fine_tuning
from matexapps.apps.higgs.units import UCI_UNITS
from matexapps.errors import TrainingError


def test_an_adapted_network_judges_rows_in_uci_units_as_the_original_does_physical_ones(events):
    network = build_network("present", events).eval()
    in_uci_units = (events / UCI_UNITS).astype(np.float32)
    adapted = adapt_units(network, in_uci_units)
    with torch.no_grad():
        expected = network(torch.from_numpy(events))
        judged = adapted(torch.from_numpy(in_uci_units))
        unadapted = network(torch.from_numpy(in_uci_units))
    torch.testing.assert_close(judged, expected, rtol=0, atol=5e-3)
    assert float((unadapted - expected).abs().max()) > 0.05


def test_a_network_whose_weights_hold_the_units_is_refused(events):
    with pytest.raises(TrainingError, match="build_network\\('present'"):
        adapt_units(build_network("dnn2014", events), events)


def test_fine_tuning_learns_from_rows_in_uci_units_and_leaves_the_original(separable):
    train, validation, test = (
        replace(rows, features=(rows.features / UCI_UNITS).astype(np.float32)) for rows in separable
    )
    network = build_network("present", separable[0].features)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    settings = fine_tuning(LEARNING_RATES[-1])
    epochs = settings.pop("epochs")
    trainer = Trainer(adapt_units(network, train.features), device="cpu", **settings)
    untrained = trainer.evaluate(test)["loss"]
    trainer.fit(DataSet.from_rows(train, validation, test), epochs)
    assert trainer.evaluate(test)["loss"] < 0.9 * untrained
    after = network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
