"""Makes ranks call different collectives, one pair for each name in the first argument."""

import json
import sys

import numpy as np

from matexapps.comm.world import open_world
from matexapps.errors import MismatchedCollectives

three, four = np.zeros(3), np.zeros(4)
small = three.astype(np.float32)


def program(comm, name):
    first = comm.rank == 0
    if name == "order":
        if first:
            comm.all_reduce(three)
        else:
            comm.barrier()
    elif name == "operation":
        comm.broadcast_object("a") if first else comm.all_gather_object("a")
    elif name == "reduce op":
        comm.all_reduce(three, "sum" if first else "max")
    elif name == "shape":
        comm.all_reduce(three if first else four)
    elif name == "dtype":
        comm.broadcast(three if first else small)
    elif name == "root":
        comm.broadcast(three, root=0 if first else 1)
    elif name == "root of an object":
        comm.broadcast_object("a", root=0 if first else 1)
    elif name == "shape of rows":
        comm.all_gather_rows(np.zeros((2, 3 if first else 4)))
    elif name == "on_all, on_root":
        comm.on_all(lambda: 1) if first else comm.on_root(lambda: 1)
    elif name == "inside on_root":
        comm.on_root(lambda: comm.barrier())
    elif name == "inside on_all":
        comm.on_all(comm.barrier if first else lambda: comm.all_gather_object(1))
    elif name == "length of a mean":
        comm.mean_buffer(3 if first else 4, np.float32)
    elif name == "dtype of a mean":
        comm.mean_buffer(3, np.float32 if first else np.float64)
    elif name == "average":
        buffer = comm.mean_buffer(3, np.float32)
        buffer.average(1.0) if first else comm.barrier()
    elif name == "two means":
        buffers = [comm.mean_buffer(3, np.float32) for _ in range(2)]
        buffers[0 if first else 1].average(1.0)
    elif name == "library":
        comm.c_library(["none.so"]) if first else comm.barrier()
    elif name == "close":
        comm.close() if first else comm.all_reduce(three)


seen = {}
for name in json.loads(sys.argv[1]):
    comm = open_world(timeout_s=60, check=True)
    comm.barrier()
    try:
        program(comm, name)
        text = "no error"
    except MismatchedCollectives as error:
        text = str(error)
    assert comm.broken
    with open_world(timeout_s=60, check=True) as again:
        seen[name] = again.all_gather_object(text)
if again.rank == 0:
    print(json.dumps(seen))
