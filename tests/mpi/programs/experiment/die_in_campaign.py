"""Runs a campaign of quantum chemistry; each rank dies after its third outcome."""

import json
import os
import signal
import sys

from matexapps.apps.molecules.quantum.campaign import run
from matexapps.comm.world import open_world
from matexapps.experiment.campaign.journal import Journal
from matexapps.experiment.ranks import Ranks

write, written = Journal.write, []


def die_after_three(journal, outcome):
    write(journal, outcome)
    written.append(outcome)
    if len(written) == 3:
        os.kill(os.getpid(), signal.SIGKILL)


Journal.write = die_after_three
with open_world() as comm:
    run(json.loads(sys.argv[1]), Ranks(comm))
