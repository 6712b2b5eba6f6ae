"""Interrupts waits on a user's ``MPI.COMM_WORLD``, and uses it again after each."""

import os
import signal
import threading

from mpi4py import MPI

from matexapps.comm.world import make_user_world_interruptible, renew_worlds

make_user_world_interruptible()
held = MPI.COMM_WORLD
rank, n = held.rank, held.size
waits = [
    lambda: held.Barrier() if rank else threading.Event().wait(),
    lambda: held.recv(source=0, tag=99),
    lambda: held.allreduce(1) if rank else threading.Event().wait(),
    lambda: held.Recv(bytearray(8), source=0, tag=99),
    lambda: held.bcast(None, root=0) if rank else threading.Event().wait(),
]
for wait in waits:
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        wait()
        raise SystemExit("must be interrupted")
    except KeyboardInterrupt:
        pass
    renew_worlds()
    assert MPI.COMM_WORLD is held
    assert not held.broken
    assert held.allreduce(rank + 1) == n * (n + 1) // 2
print("stopped", flush=True)
