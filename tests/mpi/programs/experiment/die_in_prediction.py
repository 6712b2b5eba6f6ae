"""Predicts a library of molecules; a rank dies at its third piece."""

import json
import os
import signal
import sys

from matexapps import progress
from matexapps.apps.molecules import prediction as library
from matexapps.apps.molecules.domain import MOLECULES
from matexapps.comm.world import open_world
from matexapps.experiment.command import report_failure_line
from matexapps.experiment.model import prediction
from matexapps.experiment.model.model import Model

victim, settings = int(sys.argv[1]), json.loads(sys.argv[2])
read_library = library.read_library


def with_a_death(*arguments):
    for number, piece in enumerate(read_library(*arguments)):
        if number == 2 and comm.rank == victim:
            os.kill(os.getpid(), signal.SIGKILL)
        yield piece


library.read_library = with_a_death
prediction.PIECE = 10
with progress.reporting_to(report_failure_line), open_world() as comm:
    model = Model.load(settings["model"], MOLECULES)
    source = MOLECULES.source(settings["library"])
    summary = prediction.predict_file(model, source, settings["out"], comm)
    if comm.rank == 0:
        print(json.dumps(summary))
