"""Trains from checkpoints; the first time, a rank dies in the middle of training."""

import json
import os
import signal
import sys

import numpy as np
import torch
from torch import nn

import matexapps as mx

folder, mortal = sys.argv[1:]


class Death(mx.Callback):
    def on_step_end(self, trainer):
        begun = os.path.join(folder, "begun")
        if trainer.position.epoch == 2 and mortal == str(comm.rank) and not os.path.exists(begun):
            open(begun, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)


comm = mx.open_world()
torch.manual_seed(0)
net = nn.Sequential(mx.Standardize(8), nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
features = np.random.default_rng(0).normal(size=(301, 8)).astype(np.float32)
label = (features[:, 0] + features[:, 1] > 0).astype(np.float32)
trainer = mx.Trainer(
    net,
    batch_size=64,
    callbacks=[mx.Checkpointing(folder), Death()],
    recovery="checkpoint",
    comm=comm,
    device="cpu",
)
history = trainer.fit(mx.DataSet.from_arrays(features, label), 4)
if comm.rank == 0:
    print(json.dumps([row["loss"] for row in history.rows]), flush=True)
