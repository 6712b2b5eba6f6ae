"""Interrupts a barrier on rank 0, and uses a new world after it."""

import os
import signal
import threading

from matexapps.comm.world import open_world
from matexapps.errors import CommunicationError, PeerAborted

flag = open_world()
comm = open_world(timeout_s=60)
if comm.rank == 0:
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
if comm.rank < comm.world_size - 1:
    try:
        comm.barrier()
    except (KeyboardInterrupt, PeerAborted) as error:
        print(comm.rank, type(error).__name__, flush=True)
    try:
        comm.barrier()
    except CommunicationError as error:
        print("left:", error, flush=True)
flag.barrier()
again = open_world()
print("sum", sum(again.all_gather_object(again.rank)), flush=True)
