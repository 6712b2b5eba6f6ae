"""Closes a checked world on rank 1 while the others exchange a sum."""

import json

import numpy as np

from matexapps.comm.world import open_world
from matexapps.errors import MismatchedCollectives

text = "no error"
try:
    with open_world(timeout_s=60, check=True) as comm:
        if comm.rank != 1:
            comm.all_reduce(np.zeros(2))
except MismatchedCollectives as error:
    text = str(error)
with open_world(timeout_s=60, check=True) as again:
    texts = again.all_gather_object(text)
    if again.rank == 0:
        print(json.dumps(texts))
