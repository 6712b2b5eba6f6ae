"""Calls every collective and prints what each rank got."""

import json

import numpy as np

from matexapps.comm.world import open_world

with open_world() as comm:
    rank, n = comm.rank, comm.world_size
    large = np.arange(1_500_000, dtype=np.float64) + rank
    comm.all_reduce(large)
    sums = bool((large == n * np.arange(1_500_000) + n * (n - 1) / 2).all())
    top = np.array([rank, -rank], np.int64)
    comm.all_reduce(top, "max")
    image = np.full((3, 700_000), rank, np.float32)
    comm.broadcast(image, root=n - 1)
    rows = comm.all_gather_rows(np.full((rank, 2), rank, np.float32))
    several = all(
        (
            comm.all_gather_rows(np.full((count, 5), rank + 10.0 * count))[:, 0].reshape(n, count)
            == np.arange(n)[:, None] + 10.0 * count
        ).all()
        for count in (3, 1, 0, 2000, 7, 60_000, 2, 60_000, 5)
    )
    objects = comm.all_gather_object({"rank": rank, "text": "x" * 1000 * rank})
    all_ranks = comm.all_gather_object(
        {
            "sums": sums,
            "top": top.tolist(),
            "image": [float(image.min()), float(image.max())],
            "rows": rows[:, 0].tolist(),
            "several": several,
            "objects": [len(o["text"]) for o in objects],
            "root": comm.on_root(lambda: f"from {rank}"),
            "local": [comm.local_rank, comm.local_size],
        }
    )
    if rank == 0:
        print(json.dumps(all_ranks))
