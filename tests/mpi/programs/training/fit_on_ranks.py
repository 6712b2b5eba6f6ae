"""Trains in ways whose results must not depend on the number of ranks.

The arguments are a folder for the checkpoints of a stopped training, and the folder of such
checkpoints that another number of ranks has written.
"""

import sys

import numpy as np
import torch
from recording_network import (
    RecordingNetwork,
    data_set,
    flat,
    print_on_rank_0,
    row_numbers_of_all_ranks,
)
from torch import nn

import matexapps as mx


def learning():
    return {"plain": learn(weighted=False), "weighted": learn(weighted=True)}


def learn(weighted):
    data = data_set(weighted=weighted, validation=0.0, test=0.0)
    net = RecordingNetwork()
    trainer = mx.Trainer(net, batch_size=64, metrics=["accuracy", "roc_auc"], seed=3)
    epochs = []
    for epoch in (1, 2, 3):
        net.row_numbers.clear()
        history = trainer.fit(data, epochs=epoch)
        epochs.append(row_numbers_of_all_ranks(trainer))
    return {
        "losses": [row["loss"] for row in history.rows],
        "epochs": epochs,
        "ids": sorted(data.train.ids.tolist()),
        "predictions": trainer.predict(data.train)[:, 0].tolist(),
        "evaluation": list(trainer.evaluate(data.train).values()),
    }


def settings():
    def one_cycle(optimizer, total):
        return torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=total)

    def nesterov(parameters):
        return torch.optim.SGD(parameters, lr=0.1, momentum=0.9, nesterov=True)

    results = {}
    for name, options in {
        "clip_norm": {"clip_norm": 0.1},
        "loss": {"loss": nn.MSELoss()},
        "own loss": {"loss": lambda prediction, label: (prediction - label).abs()},
        "optimizer": {"optimizer": nesterov},
        "scheduler": {"scheduler": one_cycle, "schedule_every": "batch"},
        "early stopping": {"callbacks": [mx.EarlyStopping(patience=1)]},
    }.items():
        net = RecordingNetwork()
        history = mx.Trainer(net, batch_size=50, **options).fit(data_set(301), epochs=3)
        results[name] = [[row["loss"], row["validation_loss"]] for row in history.rows]
        results[name + ", weights"] = flat(net)
    return results


def class_weights():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 6)).astype(np.float32)
    data = mx.DataSet.from_arrays(features, rng.integers(0, 3, 200), validation=0.2, test=0.0)
    torch.manual_seed(0)
    net = nn.Linear(6, 3)
    loss = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 5.0, 0.2]))
    trainer = mx.Trainer(net, loss=loss, batch_size=33, metrics=["accuracy"])
    history = trainer.fit(data, epochs=3)
    return {
        "losses": [row["loss"] for row in history.rows],
        "validation": [row["validation_loss"] for row in history.rows],
    }


def small_batches():
    data = data_set(20, validation=0.1, test=0.1)
    trainer = mx.Trainer(RecordingNetwork(), batch_size=2)
    history = trainer.fit(data, epochs=2)
    return {
        "losses": [row["loss"] for row in history.rows],
        "rows": len(trainer.predict(data.test)),
    }


class Gated(RecordingNetwork):
    """Uses one layer only for rows above 500, and another for none."""

    def __init__(self):
        super().__init__()
        self.rare, self.never = nn.Linear(5, 1), nn.Linear(5, 1)

    def forward(self, x):
        out = super().forward(x)
        high = x[:, 5] > 500
        if high.any():
            out = out + self.rare(x[:, :5]) * high[:, None]
        return out


def no_gradient():
    def decay(parameters):
        return torch.optim.AdamW(parameters, lr=0.01, weight_decay=0.5)

    net = Gated()
    before = flat(net.never)
    history = mx.Trainer(net, batch_size=7, optimizer=decay).fit(data_set(600), epochs=1)
    return {
        "losses": [row["loss"] for row in history.rows],
        "rare": flat(net.rare),
        "untouched": flat(net.never) == before,
    }


def other_first_weights():
    comm = mx.open_world()
    net = RecordingNetwork(seed=comm.rank)
    mx.Trainer(net, comm=comm).fit(data_set(), epochs=1)
    return comm.all_gather_object(flat(net))


class Stop(mx.Callback):
    def on_step_end(self, trainer):
        if trainer.position.epoch == 1 and trainer.position.step == 5:
            raise SystemExit(0)


def stopped():
    folder, folder_before = sys.argv[1:]
    results = {"uninterrupted": fit_500_rows(seed=0)}
    if mx.open_world().world_size > 1:
        results["resumed"] = fit_500_rows(seed=9, resume=folder_before)
    try:
        fit_500_rows(seed=0, callbacks=[mx.Checkpointing(folder, every_steps=5), Stop()])
    except SystemExit:
        return results


def fit_500_rows(seed, callbacks=(), resume=None):
    net = RecordingNetwork(seed)
    trainer = mx.Trainer(net, batch_size=32, callbacks=callbacks)
    history = trainer.fit(data_set(500), epochs=3, resume=resume)
    return {
        "losses": [row["loss"] for row in history.rows],
        "weights": flat(net),
        "row numbers": row_numbers_of_all_ranks(trainer),
    }


print_on_rank_0(
    mx.open_world(),
    learning=learning(),
    settings=settings(),
    class_weights=class_weights(),
    small_batches=small_batches(),
    no_gradient=no_gradient(),
    other_first_weights=other_first_weights(),
    stopped=stopped(),
)
