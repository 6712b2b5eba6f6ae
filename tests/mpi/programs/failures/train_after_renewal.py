"""Trains after a failure in user code, over the renewed communicator."""

import numpy as np
import torch
from torch import nn

from matexapps import Callback, DataSet, Trainer
from matexapps.comm.world import open_world, renew_worlds


class FailOnce(Callback):
    failed = False

    def on_epoch_end(self, trainer, row):
        if trainer.comm.rank == trainer.comm.world_size - 1 and not self.failed:
            self.failed = True
            raise RuntimeError("the user's own mistake")


rows = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
data = DataSet.from_arrays(rows, (rows[:, 0] > 0).astype(float), validation=0, test=0)
comm = open_world()
torch.manual_seed(0)
trainer = Trainer(nn.Linear(4, 1), batch_size=50, callbacks=[FailOnce()], comm=comm, seed=1)
try:
    trainer.fit(data, epochs=4)
    raise SystemExit("it must fail")
except Exception:
    pass
renew_worlds()
history = trainer.fit(data, epochs=4)
losses = comm.all_gather_object([row["loss"] for row in history.rows])
assert all(loss == losses[0] for loss in losses), losses
assert [row["epoch"] for row in history.rows][-1] == 4
print("same", flush=True)
