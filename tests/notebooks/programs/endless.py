"""A cell with a function that never ends on the ranks."""


def endless(others_compute):
    """Compute on rank 0 while the other ranks compute too, or wait in a collective."""
    import time

    from matexapps.comm.world import open_world

    with open_world() as comm:
        comm.barrier()
        print("under way", flush=True)
        while comm.rank == 0 or others_compute:
            time.sleep(0.01)
        comm.barrier()
