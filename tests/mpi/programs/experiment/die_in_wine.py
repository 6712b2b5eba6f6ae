"""Runs the experiment of ``wine``, in which a rank dies in the second epoch."""

import json
import os
import signal
import sys

from wine import WINE

from matexapps import progress
from matexapps.comm.world import open_world
from matexapps.experiment.runner import run_study

victim = int(sys.argv[1])


def die_in_the_second_epoch(event):
    in_second = event["kind"] == "train" and event["epoch"] == 2
    # The remaining rank becomes rank 0 and repeats the epoch.
    if in_second and comm.rank == victim and comm.world_size == 2:
        os.kill(os.getpid(), signal.SIGKILL)


with progress.reporting_to(die_in_the_second_epoch), open_world() as comm:
    summary = run_study(WINE, WINE.settings(epochs=4), comm).summary()
    if comm.rank == 0:
        print(json.dumps(summary))
