"""Loads files that cannot be used, and prints the message of every rank."""

import json
import sys

from matexapps.comm.world import open_world
from matexapps.data.dataset import DataSet
from matexapps.errors import DataError

with open_world(timeout_s=60) as comm:
    for path in sys.argv[1:]:
        message = None
        try:
            DataSet(path, binary=True).load(comm)
        except DataError as error:
            message = str(error)
        messages = comm.all_gather_object(message)
        if comm.rank == 0:
            print(json.dumps(messages))
