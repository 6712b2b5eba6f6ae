"""Pre-trains on these ranks, trains from it, and compares with pre-training on one rank."""

import json
import sys

from matexapps.apps.molecules.domain import MOLECULES
from matexapps.apps.molecules.pretraining.run import pretrain, run
from matexapps.apps.molecules.pretraining.settings import PretrainingSettings
from matexapps.apps.molecules.settings import MoleculeSettings
from matexapps.comm.world import open_world
from matexapps.experiment.model.model import Model
from matexapps.experiment.ranks import Ranks
from matexapps.experiment.runner import run_study
from matexapps.experiment.settings import from_plain

settings, task = map(json.loads, sys.argv[1:])
with open_world() as comm:
    summary = run(settings, Ranks(comm))
    study = run_study(MOLECULES, from_plain(MoleculeSettings, task), comm).summary()
    if comm.rank == 0:
        chosen = from_plain(PretrainingSettings, settings)
        model, _, _ = pretrain(chosen, Ranks.single())
        other = Model.load(settings["out"], MOLECULES).network.state_dict()
        furthest = max(
            float((value - other[name]).abs().max())
            for name, value in model.network.state_dict().items()
        )
        print(json.dumps([summary, study, furthest]))
