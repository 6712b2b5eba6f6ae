"""Leaves a checked world by an exception on rank 1 while the others wait."""

from matexapps.comm.world import open_world
from matexapps.errors import PeerAborted

flag = open_world()
try:
    with open_world(timeout_s=60, check=True) as comm:
        if comm.rank == 1:
            raise ValueError("the third row is odd")
        comm.barrier()
except ValueError:
    print("left", flush=True)
except PeerAborted as error:
    print("freed:", error, flush=True)
flag.barrier()
