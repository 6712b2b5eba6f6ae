"""Trains networks whose results would depend on the number of ranks."""

import json

import numpy as np
import torch
from global_batch_networks import COLUMNS, data_set, trainer_of
from torch import nn

import matexapps as mx

# Some permutation of all rows may leave a rank's rows with this rank.
torch.manual_seed(0)


class Own(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.layer, self.function = nn.Linear(COLUMNS, 1), function

    def forward(self, x):
        return self.layer(self.function(x) if self.training else x)


class Codes(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(COLUMNS, 1)
        self.register_buffer("codes", torch.zeros(COLUMNS))

    def forward(self, x):
        self.codes.lerp_(x.detach().amax(0), 0.1)
        return self.layer(x)


scripted = torch.jit.script(nn.Sequential(nn.Linear(COLUMNS, 4), nn.BatchNorm1d(4)))
networks = {
    "numpy": Own(lambda x: x * np.random.rand()),  # noqa: NPY002  # what must be refused
    "rows": Own(lambda x: x / x.std(0)),
    "shuffled": Own(lambda x: 0.5 * (x + x[torch.randperm(len(x))])),
    "script": nn.Sequential(scripted, nn.Linear(4, 1)),
    "buffer": Codes(),
}
messages = {}
for name, net in networks.items():
    try:
        mx.Trainer(net, batch_size=32).fit(data_set(), epochs=1)
    except mx.MatexError as error:
        messages[name] = str(error)


class Draws(mx.Callback):
    def on_step_end(self, trainer):
        if trainer.comm.rank == 1:
            torch.rand(1)


try:
    trainer_of("dropout", callbacks=[Draws()]).fit(data_set(), epochs=1)
except mx.MatexError as error:
    messages["callback"] = str(error)
if mx.open_world().rank == 0:
    print(json.dumps(messages), flush=True)
