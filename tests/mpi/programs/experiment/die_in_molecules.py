"""Runs an experiment with molecules, in which a rank dies in the second epoch."""

import json
import os
import signal
import sys

from matexapps import progress
from matexapps.apps.molecules.domain import MOLECULES
from matexapps.apps.molecules.settings import MoleculeSettings
from matexapps.comm.world import open_world
from matexapps.experiment.runner import run_study
from matexapps.experiment.settings import from_plain

victim, settings = int(sys.argv[1]), json.loads(sys.argv[2])


def die_in_the_second_epoch(event):
    in_second = event["kind"] == "train" and event["epoch"] == 2
    # A remaining rank becomes rank 0 and repeats the epoch.
    if in_second and comm.rank == victim and comm.world_size == 3:
        os.kill(os.getpid(), signal.SIGKILL)


with progress.reporting_to(die_in_the_second_epoch), open_world() as comm:
    study = run_study(MOLECULES, from_plain(MoleculeSettings, settings), comm)
    if comm.rank == 0:
        print(json.dumps(study.summary()))
