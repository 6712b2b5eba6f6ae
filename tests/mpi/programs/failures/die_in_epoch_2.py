"""Trains from checkpoints; the first time, rank 1 dies in the second epoch."""

import os
import pathlib
import signal
import sys

import numpy as np
from torch import nn

import matexapps as mx

folder = pathlib.Path(sys.argv[1])


class Dies(mx.Callback):
    def on_step_end(self, trainer):
        mark = folder / "died"
        if trainer.comm.rank == 1 and trainer.position.epoch == 2 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)


rows = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)
data = mx.DataSet.from_arrays(rows, (rows[:, 0] > 0).astype(np.float32))
with mx.open_world() as comm:
    trainer = mx.Trainer(
        nn.Linear(3, 1),
        batch_size=10,
        comm=comm,
        recovery="checkpoint",
        callbacks=[Dies(), mx.Checkpointing(folder / "checkpoints")],
    )
    trainer.fit(data, epochs=4, resume=folder / "checkpoints")
    if comm.rank == 0:
        print("epochs here:", trainer.position.epoch, flush=True)
