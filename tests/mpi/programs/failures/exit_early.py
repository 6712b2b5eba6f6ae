"""One rank exits without ending MPI, with the status in the first argument."""

import os
import sys

from matexapps.comm.failures.fault_tolerant import run_fault_tolerant
from matexapps.comm.world import open_world

comm = open_world()


def work(failure):
    comm.barrier()
    if failure is None and comm.rank == 1:
        os._exit(int(sys.argv[1]))
    comm.barrier()
    return failure


failure = run_fault_tolerant(comm, work)
print(comm.world_size, failure.ranks[0][0], flush=True)
