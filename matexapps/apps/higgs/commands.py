"""``matexapps higgs``: train, predict, simulate."""

from __future__ import annotations

from matexapps.apps.higgs import DOMAIN
from matexapps.apps.higgs.settings import TITLE, HiggsSettings
from matexapps.apps.higgs.simulation.settings import SimulationSettings
from matexapps.experiment.cli.app import add_verb, domain_app

app = domain_app(
    DOMAIN, TITLE, HiggsSettings, "matexapps higgs", "--data HIGGS.csv.gz --epochs 20 "
)
add_verb(
    app,
    "simulate",
    "Simulate collisions with PYTHIA 8 and FastJet: the same events on any number of ranks.",
    SimulationSettings,
    "matexapps.apps.higgs.simulation.run:run",
    "matexapps higgs simulate --events 100000 -n 8 --out higgs.h5",
)
