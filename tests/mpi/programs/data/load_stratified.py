"""Loads a file with a stratified split twice, and prints the digests of every rank's parts."""

import json
import sys

from matexapps.comm.world import open_world
from matexapps.data.dataset import DataSet

with open_world(timeout_s=60) as comm:
    data = DataSet(sys.argv[1], weight="pt", seed=7, split="stratified").load(comm)
    train = data.train
    data.load(comm)
    parts = [data.train, data.validation, data.test]
    mine = [part.digest() for part in parts] + [data.train is train]
    of_all_ranks = comm.all_gather_object(mine)
    if comm.rank == 0:
        print(json.dumps(of_all_ranks))
