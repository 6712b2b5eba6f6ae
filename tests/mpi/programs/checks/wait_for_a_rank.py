"""Waits for a rank that is late, and prints the events that every rank reports."""

import json
import os
import sys
import time
from contextlib import suppress

from matexapps import progress
from matexapps.comm.world import open_world
from matexapps.errors import CommunicationError

os.environ["MATEXAPPS_HANG_AFTER_S"] = sys.argv[1]
flag = open_world()
comm = open_world(timeout_s=float(sys.argv[2]), check=bool(int(sys.argv[3])))
events = []
with progress.reporting_to(events.append):
    if comm.rank == 1:
        time.sleep(1.5)
    with suppress(CommunicationError):
        comm.barrier()
all_events = flag.all_gather_object(events)
if comm.rank == 0:
    print(json.dumps(all_events))
