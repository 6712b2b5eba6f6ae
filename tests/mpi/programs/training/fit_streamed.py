"""Trains on rows in memory and in their file, and records which rows a resumed training reads."""

import json
import sys
from contextlib import suppress

import torch

import matexapps as mx
from matexapps.comm.world import open_world


def fit(path, memory):
    with open_world(timeout_s=120) as comm:
        data = mx.DataSet(path, memory=memory, split="stratified")
        torch.manual_seed(0)
        model = torch.nn.Sequential(
            mx.Standardize(5), torch.nn.Linear(5, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)
        )
        trainer = mx.Trainer(model, batch_size=64, metrics=["roc_auc"], comm=comm)
        history = trainer.fit(data, epochs=3)
        outputs = trainer.predict(data.test)
        return {
            "loss": [row["loss"] for row in history.rows],
            "auc": [row["roc_auc"] for row in history.rows],
            "outputs": outputs[:, 0].tolist(),
            "mean": model[0].mean.tolist(),
            "digest": data.train.digest(),
        }


class RecordIds(mx.Callback):
    def __init__(self):
        self.ids = []

    def on_batch_start(self, trainer, batch):
        self.ids += batch.features[:, 0].int().tolist()


class Stop(mx.Callback):
    def on_step_end(self, trainer):
        if trainer.position.epoch == 1 and trainer.position.step == 5:
            raise KeyboardInterrupt


def ids_read(path, folder, stop):
    recorded = RecordIds()
    with open_world(timeout_s=120) as comm:
        data = mx.DataSet(path, memory="8 KiB", validation=0, test=0)
        torch.manual_seed(0)
        model = torch.nn.Sequential(mx.Standardize(1), torch.nn.Linear(1, 1))
        callbacks = [mx.Checkpointing(folder, every_steps=1), recorded, *([Stop()] if stop else [])]
        trainer = mx.Trainer(model, batch_size=64, comm=comm, callbacks=callbacks)
        with suppress(KeyboardInterrupt):
            trainer.fit(data, epochs=2, resume=None if stop else folder)
    with open_world() as again:
        return again.all_gather_object(recorded.ids)


sorted_rows, numbers, folder = sys.argv[1:]
results = {
    "streamed": fit(sorted_rows, "16 KiB"),
    "in memory": fit(sorted_rows, "2GB"),
    "ids": ids_read(numbers, folder, stop=open_world().world_size == 1),
}
if open_world().rank == 0:
    print(json.dumps(results), flush=True)
