"""Trains with checks of collectives and without, and with a callback of rank 0 alone."""

import json

import numpy as np
import torch
from torch import nn

import matexapps as mx


def data_set():
    rng = np.random.default_rng(5)
    features = rng.normal(size=(503, 6)).astype(np.float32)
    label = (features[:, 0] > 0.3).astype(np.float32)
    return mx.DataSet.from_arrays(features, label, validation=0.2, test=0.1)


def fit(check, callbacks=()):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 1))
    comm = mx.open_world(timeout_s=60, check=check)
    trainer = mx.Trainer(net, comm=comm, batch_size=50, metrics=["accuracy"], callbacks=callbacks)
    history = trainer.fit(data_set(), epochs=3)
    weights = torch.cat([p.detach().reshape(-1) for p in net.parameters()])
    return [[row["loss"], row["accuracy"]] for row in history.rows], weights.tolist()


class OnlyRankZero(mx.Callback):
    def on_epoch_start(self, trainer):
        if trainer.comm.rank == 0:
            trainer.evaluate(data_set().validation)


results = {"plain": fit(False), "checked": fit(True)}
text = "no error"
try:
    fit(True, [OnlyRankZero()])
except mx.errors.MismatchedCollectives as error:
    text = str(error)
with mx.open_world() as again:
    results["texts"] = again.all_gather_object(text)
    if again.rank == 0:
        print(json.dumps(results))
