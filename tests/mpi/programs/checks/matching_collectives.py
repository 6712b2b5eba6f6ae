"""Calls matching collectives with checks, in one world after another."""

import json

import numpy as np

from matexapps.comm.world import open_world

for _ in range(3):
    with open_world(timeout_s=60, check=True) as comm:
        rank, n = comm.rank, comm.world_size
        comm.barrier()
        large = np.arange(1_500_000, dtype=np.float64) + rank
        comm.all_reduce(large)
        sums = bool((large == n * np.arange(1_500_000) + n * (n - 1) / 2).all())
        image = np.full((3, 700_000), rank, np.float32)
        comm.broadcast(image, root=n - 1)
        objects = comm.all_gather_object("x" * 1000 * rank)
        rows = comm.all_gather_rows(np.full((rank, 2), rank, np.float32))
        comm.on_all(lambda: None)
        text = comm.broadcast_object("x" * 10 * (rank + 1), root=n - 1)
        library = comm.c_library(["no_such_library.so"])
        means = []
        for length in (7, 600_001):
            buffer = comm.mean_buffer(length, np.float64)
            for step in range(5):
                buffer.local[:] = rank * (step + 1)
                means.append([buffer.average(1.0), buffer.mean[-1].item()])
            buffer.close()
        result = [
            sums,
            image.max().item(),
            [len(o) for o in objects],
            rows[:, 0].tolist(),
            text,
            library,
            means,
            comm.on_root(lambda: 5),
        ]
        all_ranks = comm.all_gather_object(result)
    comm.close()
if rank == 0:
    print(json.dumps(all_ranks))
