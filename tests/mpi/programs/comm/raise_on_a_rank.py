"""Raises an error on one rank inside ``on_all`` and ``on_root``."""

from matexapps.comm.world import open_world
from matexapps.errors import DataError

with open_world() as comm:
    last = comm.rank == comm.world_size - 1

    def work():
        if last:
            raise DataError(f"bad row on {comm.rank}")
        return comm.rank

    try:
        comm.on_all(work)
    except DataError as error:
        print(error, flush=True)
    try:
        comm.on_root(lambda: 1 / 0)
    except ZeroDivisionError as error:
        print(error, flush=True)
    assert comm.on_all(lambda: comm.rank) == comm.rank
