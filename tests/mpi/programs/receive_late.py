"""Interrupts a wait at each of its first lines, and then receives the message it waited for.

The memory for that message must not hold anything else by then.
"""

import sys
import time
from contextlib import suppress
from itertools import count

import numpy as np

from matexapps.comm import waiting
from matexapps.comm.world import open_world, renew_worlds
from matexapps.errors import PeerAborted

ROWS, LINES = 2000, 30


def interrupt_at(number):
    """Raise ``KeyboardInterrupt`` in the line of that number of the wait loop."""
    lines = count()

    def trace(frame, event, _):
        if frame.f_code.co_filename != waiting.__file__:
            return None
        if event == "line" and next(lines) == number:
            sys.settrace(None)
            raise KeyboardInterrupt
        return trace

    sys.settrace(trace)


with open_world(timeout_s=60) as comm:
    for number in range(LINES):
        if comm.rank == 0:
            interrupt_at(number)
            try:
                comm.broadcast(np.zeros(ROWS), root=1)
                raise SystemExit("must be interrupted")
            except KeyboardInterrupt:
                comm.abort("a stop")
        others = [np.ones(ROWS) for _ in range(50)]
        if comm.rank != 0:
            time.sleep(0.05)
            with suppress(PeerAborted):
                comm.broadcast(np.full(ROWS, 7.0), root=1)
        renew_worlds()
        comm.barrier()
        assert all((array == 1).all() for array in others), f"{number}: another array changed"
print("unchanged", flush=True)
