"""Raises an exception on rank 1 after a step, and prints what the other ranks raise."""

from recording_network import RecordingNetwork, data_set

import matexapps as mx
from matexapps.errors import PeerAborted


class Trip(mx.Callback):
    def on_step_end(self, trainer):
        if trainer.comm.rank == 1 and trainer.position.step == 3:
            raise ValueError("row 17 is odd")


try:
    mx.Trainer(RecordingNetwork(), batch_size=64, callbacks=[Trip()]).fit(data_set(), epochs=2)
except PeerAborted as error:
    print(error, flush=True)
