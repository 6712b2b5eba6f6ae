"""Trains two networks inside ``mx.reinit``, and kills ranks.

A rank dies at a certain number of waits for the others since its start. The plan has ranks of the
first generation and of later ones.
"""

import json
import sys
import warnings

import numpy as np
import torch
from counted_waits import CountedWaits
from torch import nn

import matexapps as mx
from matexapps.train.monitor.ledger import Ledger

warnings.simplefilter("ignore")
plan, folder = json.loads(sys.argv[1]), sys.argv[2]
me = None
waits = CountedWaits(lambda count: me is not None and plan.get(me) == count)


def main():
    global me
    comm = mx.open_world()
    me = me or f"{comm.renewals}:{comm.rank}"
    rng = np.random.default_rng(0)
    features = rng.normal(size=(301, 8)).astype(np.float32)
    label = (features[:, 0] + features[:, 1] > 0).astype(np.float32)
    values, events = [], []
    for seed in (0, 1):
        torch.manual_seed(seed)
        net = nn.Sequential(mx.Standardize(8), nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
        trainer = mx.Trainer(
            net,
            batch_size=64,
            metrics=["accuracy"],
            callbacks=[Ledger(f"{folder}/{seed}"), mx.EarlyStopping(patience=50)],
            comm=comm,
            device="cpu",
        )
        data = mx.DataSet.from_arrays(features, label)
        history = trainer.fit(data, 3)
        values += [[row["loss"], row["validation_loss"]] for row in history.rows]
        values.append(list(trainer.evaluate(data.test).values()))
        events += [event["event"] for event in history.events]
    return comm.rank, {
        "ranks": comm.world_size,
        "waits": waits.count,
        "events": events,
        "values": values,
    }


rank, result = mx.reinit(main)
if rank == 0:
    print(json.dumps(result), flush=True)
