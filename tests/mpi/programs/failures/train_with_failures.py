"""Trains the same network several times, and kills ranks.

A rank dies at a certain number of waits for the others: at the start, in a step, in evaluation, or
while a checkpoint is written.
"""

import json
import signal
import sys
import warnings

import numpy as np
import torch
from counted_waits import CountedWaits
from torch import nn

import matexapps as mx
from matexapps.train.monitor.ledger import Ledger

warnings.simplefilter("ignore")
plan, folder, how, timeout = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3], float(sys.argv[4])
comm = mx.open_world(timeout_s=timeout)
me, dies_at = comm.rank, 0
waits = CountedWaits(lambda count: count == dies_at, getattr(signal, how))
rng = np.random.default_rng(0)
features = rng.normal(size=(301, 8)).astype(np.float32)
label = (features[:, 0] + features[:, 1] > 0).astype(np.float32)


def one_cycle(optimizer, total):
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.05, total_steps=total)


for number, deaths in enumerate(plan):
    dies_at, waits.count = deaths.get(str(me), 0), 0
    torch.manual_seed(0)
    net = nn.Sequential(mx.Standardize(8), nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
    here = f"{folder}/{number}"
    trainer = mx.Trainer(
        net,
        batch_size=64,
        metrics=["accuracy"],
        callbacks=[
            Ledger(here + "/ledger"),
            mx.Checkpointing(here + "/checkpoints", every_steps=2),
            mx.EarlyStopping(patience=50),
        ],
        scheduler=one_cycle,
        schedule_every="batch",
        comm=comm,
        device="cpu",
    )
    data = mx.DataSet.from_arrays(features, label)
    history = trainer.fit(data, 3)
    results = trainer.evaluate(data.test)
    predicted = trainer.predict(data.test)
    rows = [[row["loss"], row["validation_loss"], row["learning_rate"]] for row in history.rows]
    weights = [float(p.detach().double().norm()) for p in net.parameters()]
    fewest = min(comm.all_gather_object(waits.count))
    if comm.rank == 0:
        messages = [event["event"] for event in history.events]
        values = [*rows, list(results.values()), [float(predicted.sum())], weights]
        result = {"ranks": comm.world_size, "waits": fewest, "events": messages, "values": values}
        print(json.dumps(result), flush=True)
