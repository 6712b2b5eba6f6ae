"""Breaks a communicator on one rank after another, and renews it."""

import numpy as np

from matexapps.comm.world import open_world, renew_worlds


def total(comm):
    values = np.array([comm.rank + 1.0])
    comm.all_reduce(values)
    return float(values[0])


broken, untouched = open_world(), open_world()
rank, n = broken.rank, broken.world_size
expected = n * (n + 1) / 2
for attempt in range(3):
    try:
        if rank == attempt % n:
            raise ValueError("only here")
        broken.barrier()
    except Exception as error:
        broken.abort(repr(error))
    if rank == 0 and attempt == 0:
        # As if interrupted work had opened one on this rank alone.
        import matexapps.comm.world as world

        world.world_registry()._next_number += 1
    renew_worlds()
    assert not broken.broken
    assert total(broken) == expected
    assert total(untouched) == expected
    later = open_world()
    assert total(later) == expected
    later.close()
print(rank, broken.renewals, untouched.renewals, flush=True)
