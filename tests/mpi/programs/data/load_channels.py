"""Loads fields as channels, streamed and in memory, and prints the rows of all ranks in order."""

import json
import sys

import numpy as np
import torch

from matexapps.comm.world import open_world
from matexapps.data.dataset import DataSet

with open_world(timeout_s=60) as comm:
    for path in sys.argv[1:]:
        for memory in ("16 KiB", "2GB"):
            data = DataSet(path, features=["t2m", "u10"], validation=0, test=0, memory=memory)
            loader = data.load(comm).train.open_loader(32, comm, torch.device("cpu"), seed=0)
            mine = [(b.ids.copy(), b.features.numpy().copy()) for b in loader.shuffled(0)]
            ids = np.concatenate([i for i, _ in mine])
            features = np.concatenate([f for _, f in mine])
            mean = data.statistics(comm).mean
            parts = comm.all_gather_object((ids, features))
            if comm.rank == 0:
                order = np.argsort(np.concatenate([i for i, _ in parts]))
                rows = np.concatenate([f for _, f in parts])[order]
                kind = type(data.train).__name__
                print(json.dumps([kind, len(parts), rows.tolist(), mean.tolist()]))
