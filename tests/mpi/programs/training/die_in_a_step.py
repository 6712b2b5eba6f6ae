"""Trains a network on three ranks, of which rank 1 dies after a forward pass."""

import json
import os
import signal
import sys
import warnings

from global_batch_networks import train, trainer_of

import matexapps as mx


class Dies(mx.Callback):
    def on_batch_start(self, trainer, batch):
        comm, position = trainer.comm, trainer.position
        if (comm.world_size, comm.rank, position.epoch, position.step) == (3, 1, 1, 2):
            trainer.model.register_forward_hook(lambda *_: os.kill(os.getpid(), signal.SIGKILL))


warnings.simplefilter("ignore")
results = train(trainer_of(sys.argv[1], callbacks=[Dies()]))
comm = mx.open_world()
if comm.rank == 0:
    print(json.dumps([comm.world_size, results]), flush=True)
