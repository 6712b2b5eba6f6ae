"""Computes weighted means through shared memory and through messages."""

import json

import numpy as np

from matexapps.comm.world import open_world


def means(comm, path, kind):
    if path == "messages" and comm.world_size > 1:
        from matexapps.comm.shared.mean_buffers import MessageMean

        buffer = MessageMean(comm._data, comm._waiting, comm.barrier, 600_001, kind)
    else:
        buffer = comm.mean_buffer(600_001, kind)
    results = []
    for step in range(4):
        weight = (comm.rank + 1.0) * (step + 1)
        buffer.local[:] = weight * (np.arange(600_001) % 1000 + comm.rank)
        total = buffer.average(weight)
        results.append([total, float(buffer.mean[0]), float(buffer.mean[-1])])
    same = comm.all_gather_object(buffer.mean.tobytes())
    buffer.close()
    return {"means": results, "same": len(set(same)) == 1}


with open_world() as comm:
    seen = {
        f"{path} {kind}": means(comm, path, np.dtype(kind).type)
        for path in ("own", "messages")
        for kind in ("float32", "float64")
    }
    if comm.rank == 0:
        print(json.dumps(seen))
