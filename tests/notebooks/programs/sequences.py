"""The first cell of a notebook with random operations: what they use, and a fit in one process."""

import copy

import numpy as np
from torch import nn

from matexapps import Callback, DataSet, Trainer

rows = np.random.default_rng(0).normal(size=(400, 3)).astype("float32")
data = DataSet.from_arrays(rows, (rows[:, 0] > 0).astype(float), validation=0, test=0)
model = nn.Linear(3, 1)
trainer = Trainer(copy.deepcopy(model), batch_size=50, device="cpu")
alone = trainer.fit(data, 2).frame["loss"]


class Speak(Callback):
    """Prints a line after the first epoch."""

    def on_epoch_end(self, trainer, *_):
        if trainer.position.epoch == 1:
            print("under way", flush=True)
